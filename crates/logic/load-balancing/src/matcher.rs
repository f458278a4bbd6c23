//! Which codes of a check are successes: `200`, `200,202`, `200-299,301`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Codes and ranges of codes, of HTTP or of gRPC. Keeps the text that it was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Matcher {
    text: String,
    ranges: Vec<(u16, u16)>,
}

/// A text that says no codes.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{0}' is neither a code, nor a list of codes, nor a range of codes")]
pub struct BadMatcher(String);

impl Matcher {
    /// Whether `code` is a success.
    pub fn matches(&self, code: u16) -> bool {
        self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&code))
    }

    /// Lowest and highest code, for who wants to check the bounds that the API sets.
    pub fn bounds(&self) -> (u16, u16) {
        let low = self.ranges.iter().map(|(low, _)| *low).min().unwrap_or(0);
        let high = self.ranges.iter().map(|(_, high)| *high).max().unwrap_or(0);
        (low, high)
    }
}

impl FromStr for Matcher {
    type Err = BadMatcher;

    fn from_str(text: &str) -> Result<Self, BadMatcher> {
        let bad = || BadMatcher(text.to_owned());
        let code = |text: &str| match text.trim() {
            digits if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse::<u16>().map_err(|_| bad())
            }
            _ => Err(bad()),
        };
        let mut ranges = Vec::new();
        for part in text.split(',') {
            let range = match part.split_once('-') {
                Some((low, high)) => (code(low)?, code(high)?),
                None => (code(part)?, code(part)?),
            };
            if range.0 > range.1 {
                return Err(bad());
            }
            ranges.push(range);
        }
        Ok(Self { text: text.to_owned(), ranges })
    }
}

impl TryFrom<String> for Matcher {
    type Error = BadMatcher;

    fn try_from(text: String) -> Result<Self, BadMatcher> {
        text.parse()
    }
}

impl From<Matcher> for String {
    fn from(matcher: Matcher) -> Self {
        matcher.text
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_lists_and_ranges() {
        let table: &[(&str, &[u16], &[u16])] = &[
            ("200", &[200], &[201, 199]),
            ("200,202", &[200, 202], &[201]),
            ("200-299,301", &[200, 250, 299, 301], &[300, 302]),
            ("0", &[0], &[1]),
            ("12", &[12], &[0]),
            ("0-5, 12", &[0, 5, 12], &[6]),
        ];
        for (text, good, bad) in table {
            let matcher: Matcher = text.parse().expect("is one");
            assert!(good.iter().all(|code| matcher.matches(*code)), "{text}");
            assert!(!bad.iter().any(|code| matcher.matches(*code)), "{text}");
        }
        assert_eq!("200-299,301".parse::<Matcher>().expect("is one").bounds(), (200, 301));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", ",", "abc", "200-", "-200", "300-200", "200,,201", "99999", "+200", "200-300-400"] {
            assert!(text.parse::<Matcher>().is_err(), "{text}");
        }
    }
}
