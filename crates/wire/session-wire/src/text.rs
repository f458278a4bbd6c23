//! Where a text can be cut.

/// How many bytes from the front end with a whole character of UTF-8, so that no frame splits one. Bytes that are no
/// UTF-8 count as whole: nothing is kept back for ever.
pub fn whole_characters(bytes: &[u8]) -> usize {
    // The lead of an unfinished character is among the last three bytes.
    for back in 1..=bytes.len().min(3) {
        let at = bytes.len() - back;
        let needs = match bytes[at] {
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            0x80..=0xBF => continue,
            _ => return bytes.len(),
        };
        return if needs > back { at } else { bytes.len() };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_not_split() {
        let text = "aä€😀".as_bytes();
        let ends = [0, 1, 3, 6, 10];
        for length in 0..=text.len() {
            let whole = ends.iter().rev().find(|end| **end <= length).copied();
            assert_eq!(Some(whole_characters(&text[..length])), whole, "{length}");
        }
    }

    #[test]
    fn other_bytes_pass() {
        for bytes in [&[0xFF][..], &[0x80, 0x80, 0x80, 0x80], &[0xC0], b"\xE2\x28", &[]] {
            assert_eq!(whole_characters(bytes), bytes.len(), "{bytes:?}");
        }
    }
}
