//! What a single value may be.

use ipnet::IpNet;
use serde_json::Value;
use std::net::IpAddr;

/// A condition for one value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    /// Exactly this text, number, boolean or null. Numbers are compared as they are written: 300 is not 300.0.
    Equals(Value),
    /// Whether there is a value at all.
    Exists(bool),
    /// A text of this form.
    Text(TextTest),
    /// A value that is none of these.
    AnythingBut(Vec<Value>),
    /// A text of none of these forms.
    NoText(Vec<TextTest>),
    /// A number within bounds.
    Numeric(Vec<(Comparison, f64)>),
    /// An address in this block.
    Cidr(IpNet),
}

/// A form of texts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TextTest {
    /// Begins like this.
    Prefix(String),
    /// Begins like this in lower case.
    PrefixIgnoreCase(String),
    /// Ends like this.
    Suffix(String),
    /// Ends like this in lower case.
    SuffixIgnoreCase(String),
    /// Is this in lower case.
    EqualsIgnoreCase(String),
    /// The parts between the asterisks.
    Wildcard(Vec<String>),
}

/// How a number is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Test {
    /// Whether a value that is no object and no list is as wanted.
    pub(crate) fn holds(&self, value: &Value) -> bool {
        match self {
            Self::Equals(wanted) => equal(wanted, value),
            Self::Exists(wanted) => *wanted,
            Self::Text(test) => value.as_str().is_some_and(|text| test.holds(text)),
            Self::AnythingBut(unwanted) => !unwanted.iter().any(|unwanted| equal(unwanted, value)),
            Self::NoText(tests) => {
                value.as_str().is_some_and(|text| !tests.iter().any(|test| test.holds(text)))
            }
            Self::Numeric(bounds) => value
                .as_f64()
                .is_some_and(|number| bounds.iter().all(|(how, bound)| how.holds(number, *bound))),
            Self::Cidr(block) => {
                let address = value.as_str().and_then(|text| text.parse::<IpAddr>().ok());
                address.is_some_and(|address| block.contains(&address))
            }
        }
    }
}

/// Numbers are equal when they are written alike.
fn equal(wanted: &Value, value: &Value) -> bool {
    match (wanted, value) {
        (Value::Number(a), Value::Number(b)) => a == b || a.to_string() == b.to_string(),
        (a, b) => a == b,
    }
}

impl TextTest {
    fn holds(&self, text: &str) -> bool {
        match self {
            Self::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Self::PrefixIgnoreCase(prefix) => text.to_lowercase().starts_with(prefix.as_str()),
            Self::Suffix(suffix) => text.ends_with(suffix.as_str()),
            Self::SuffixIgnoreCase(suffix) => text.to_lowercase().ends_with(suffix.as_str()),
            Self::EqualsIgnoreCase(wanted) => text.to_lowercase() == *wanted,
            Self::Wildcard(parts) => wildcard(parts, text),
        }
    }
}

/// Whether the parts follow each other in a text that begins with the first and ends with the last. Taking each part
/// as early as possible is enough, because what lies between is free.
fn wildcard(parts: &[String], text: &str) -> bool {
    let [first, middle @ .., last] = parts else { return parts.first().is_some_and(|only| only == text) };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
    for part in middle {
        let Some(at) = rest.find(part.as_str()) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last.as_str())
}

impl Comparison {
    /// By its sign.
    pub(crate) fn of(sign: &str) -> Option<Self> {
        Some(match sign {
            "=" => Self::Equal,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    #[allow(clippy::float_cmp, reason = "equality is what is asked for")]
    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Self::Equal => number == bound,
            Self::Less => number < bound,
            Self::LessOrEqual => number <= bound,
            Self::Greater => number > bound,
            Self::GreaterOrEqual => number >= bound,
        }
    }
}
