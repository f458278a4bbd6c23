//! Unique ids, as AWS forms them.

use environment::Environment;

/// Characters of ids.
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// An id of 21 characters that begins with `prefix`, for example `AIDA`.
pub(crate) fn unique(environment: &Environment, prefix: &str) -> String {
    format!("{prefix}{}", environment.random_text(17, ALPHABET))
}

/// An id of `length` characters that begins with `prefix`.
pub(crate) fn of_length(environment: &Environment, prefix: &str, length: usize) -> String {
    format!("{prefix}{}", environment.random_text(length.saturating_sub(prefix.len()), ALPHABET))
}
