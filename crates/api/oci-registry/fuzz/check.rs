//! Whatever a request says, it is read or refused, and what is read leads nowhere else.

use blob_store::BlobRange;
use oci_registry::requests;

/// A `Range` header: its first byte is not behind its last.
pub fn range(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Some(BlobRange::Bytes { start, end: Some(end) }) = requests::range(&text) {
        assert!(start < end, "{text}");
    }
}

/// A path and its query: the repository is one, and lies below no other folder.
pub fn path(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let Some(name) = requests::repository(&text) else { return };
    assert!((2..=256).contains(&name.len()));
    for part in name.split('/') {
        assert!(!part.is_empty() && !part.starts_with('.') && !part.ends_with('.'), "{name}");
        assert!(
            part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b)),
            "{name}"
        );
    }
}
