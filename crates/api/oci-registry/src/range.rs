//! The part of a blob that a request asks for.

use blob_store::BlobRange;

/// One range of bytes of a `Range` header. A list of ranges, or what cannot be read, gives the whole blob, as HTTP allows.
pub fn parse(text: &str) -> Option<BlobRange> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    if first.is_empty() {
        return number(last).map(BlobRange::Last);
    }
    let start: u64 = number(first)?;
    let end = if last.is_empty() { None } else { Some(number(last)?.checked_add(1)?) };
    if end.is_some_and(|end| end <= start) {
        return None;
    }
    Some(BlobRange::Bytes { start, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(parse("bytes=0-9"), Some(BlobRange::Bytes { start: 0, end: Some(10) }));
        assert_eq!(parse("bytes=5-"), Some(BlobRange::Bytes { start: 5, end: None }));
        assert_eq!(parse("bytes=-5"), Some(BlobRange::Last(5)));
        for bad in [
            "bytes=9-1",
            "bytes=a-b",
            "bytes=0-1,3-4",
            "lines=0-1",
            "bytes=0-18446744073709551615",
            "bytes=+1-2",
            "bytes=--1",
            "bytes=-",
            "bytes=",
            "",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    /// Whatever the text is, a range that is read has a first byte before its last.
    #[test]
    fn any_text_is_a_range_or_none() {
        let (environment, _) =
            environment::Environment::simulated(environment::Timestamp::from_seconds(1), 3);
        let mut read = 0;
        for _ in 0..50_000 {
            let mut bytes = [0u8; 12];
            environment.fill_random(&mut bytes);
            let length = usize::from(bytes[0] % 12);
            let alphabet = b"0123456789--bytes=, +";
            let tail: String = bytes[1..]
                .iter()
                .take(length)
                .map(|b| char::from(alphabet[usize::from(*b) % alphabet.len()]))
                .collect();
            match parse(&format!("bytes={tail}")) {
                Some(BlobRange::Bytes { start, end: Some(end) }) => {
                    assert!(start < end, "{tail}");
                    read += 1;
                }
                Some(_) => read += 1,
                None => {}
            }
        }
        assert!(read > 500, "{read}");
    }
}
