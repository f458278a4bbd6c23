//! Python's order, PEP 440. What is no such version sorts before all that are, by its text.

use pep440_rs::Version;
use std::cmp::Ordering;
use std::str::FromStr;

/// Longest text that is read as a version.
const LONGEST: usize = 256;

pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    match (parse(left), parse(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        (None, None) => left.cmp(right),
        (left, right) => left.is_some().cmp(&right.is_some()),
    }
}

fn parse(text: &str) -> Option<Version> {
    if text.len() > LONGEST { None } else { Version::from_str(text.trim()).ok() }
}
