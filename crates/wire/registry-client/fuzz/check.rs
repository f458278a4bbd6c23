//! Any text is a reference or is refused; what is read can be written and read again, and asks for nothing but a path of
//! one host.

use registry_client::Reference;

/// A reference to an image.
pub fn reference(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let Ok(read) = text.parse::<Reference>() else { return };
    let again: Reference = read.to_string().parse().expect("what is written is read again");
    assert_eq!(
        (again.host(), again.repository(), again.target()),
        (read.host(), read.repository(), read.target())
    );
    for part in read.repository().split('/') {
        assert!(!part.is_empty() && part != "." && part != "..", "{text}");
    }
    for text in [read.host(), read.repository(), read.target().as_str()] {
        assert!(
            !text.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '?' | '#' | '\\' | '%')),
            "{text:?}"
        );
    }
}
