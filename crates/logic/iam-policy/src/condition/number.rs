//! Numbers of numeric conditions: integers exactly, decimals as floating point.

use std::cmp::Ordering;

/// A number of a policy or a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Integer(i128),
    Decimal(f64),
}

impl Number {
    /// None for what is not a finite number.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Ok(integer) = text.parse() {
            return Some(Self::Integer(integer));
        }
        // The parser of floating point also takes names such as `inf`.
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        let decimal: f64 = text.parse().ok()?;
        (plain && decimal.is_finite()).then_some(Self::Decimal(decimal))
    }

    /// The order of two numbers.
    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(one), Self::Integer(other)) => Some(one.cmp(&other)),
            _ => self.as_decimal().partial_cmp(&other.as_decimal()),
        }
    }

    fn as_decimal(self) -> f64 {
        match self {
            Self::Integer(integer) => integer as f64,
            Self::Decimal(decimal) => decimal,
        }
    }
}
