//! Policy documents: checked when they come in, percent-encoded when they go out.

use crate::errors::Failure;
use iam_policy::{Policy, PolicyKind};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What RFC 3986 leaves as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Checks the document of a managed policy.
pub(crate) fn check_managed(document: &str) -> Result<(), Failure> {
    Ok(Policy::parse(document, PolicyKind::Managed).map(drop)?)
}

/// Checks the document of an inline policy.
pub(crate) fn check_identity(document: &str) -> Result<(), Failure> {
    Ok(Policy::parse(document, PolicyKind::Identity).map(drop)?)
}

/// Its size as quotas count it: without white space.
pub(crate) fn size(document: &str) -> usize {
    document.chars().filter(|c| !c.is_whitespace()).count()
}

/// The document as answers carry it.
pub(crate) fn encoded(document: &str) -> String {
    utf8_percent_encode(document, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_percent_encoded_whole() {
        assert_eq!(encoded("{\"a\": [\"b-c.d_e~\"]}"), "%7B%22a%22%3A%20%5B%22b-c.d_e~%22%5D%7D");
        assert_eq!(encoded("é+%"), "%C3%A9%2B%25");
    }

    #[test]
    fn white_space_does_not_count() {
        assert_eq!(size("{ \"a\" :\n\t1 }"), 7);
    }
}
