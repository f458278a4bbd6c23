//! Whatever bytes arrive as a manifest, they are read or refused: nothing panics, and what is read names digests only and
//! not more of them than are allowed.

use blob_store::Digest;
use image_registry::{Document, is_index};

/// The first line is what the sender says that it is, when there are two.
pub fn manifest(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (content_type, text) = match text.split_once('\n') {
        Some((first, rest)) if !first.trim_start().starts_with('{') => (Some(first), rest),
        _ => (None, &*text),
    };
    let Ok(document) = Document::read(text, content_type) else { return };
    let named = document.blobs.iter().chain(&document.children).chain(&document.subject);
    assert!(
        named.clone().all(|digest| digest.parse::<Digest>().is_ok_and(|read| read.to_string() == *digest))
    );
    assert!(named.count() <= 1_002);
    assert!(document.required_blobs.iter().all(|blob| document.blobs.contains(&blob.digest)));
    if is_index(&document.media_type) {
        assert!(document.blobs.is_empty());
    } else {
        assert!(document.children.is_empty());
    }
}
