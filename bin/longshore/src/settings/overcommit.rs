//! How much more than it has a host lends to its tasks.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A multiple of what a machine has, from a hundredth to a thousandfold.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub(crate) struct Overcommit(f64);

impl Overcommit {
    /// Of the processors, without a setting: 512 of the smallest tasks on two cores. Most tasks wait most of the time, and
    /// those that do not share the processors by the CPU units that they reserve.
    pub(crate) const CPU: Self = Self(64.0);
    /// Of the memory, without a setting: 512 of the smallest tasks in 16 GiB. Most tasks use a small part of what they
    /// reserve, and none may use more.
    pub(crate) const MEMORY: Self = Self(16.0);

    /// So many times an amount.
    pub(crate) fn of(self, amount: u32) -> u32 {
        // A float that is too large becomes the largest number.
        (f64::from(amount) * self.0) as u32
    }
}

impl TryFrom<f64> for Overcommit {
    type Error = String;

    fn try_from(factor: f64) -> Result<Self, String> {
        if (0.01..=1000.0).contains(&factor) {
            return Ok(Self(factor));
        }
        Err(format!("{factor} is not from 0.01 to 1000"))
    }
}

impl From<Overcommit> for f64 {
    fn from(factor: Overcommit) -> Self {
        factor.0
    }
}

impl FromStr for Overcommit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<f64>().map_err(|_| format!("{text} is no number"))?.try_into()
    }
}

impl fmt::Display for Overcommit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_have_bounds_and_may_be_parts() {
        for (text, of_thousand) in [("1", 1000), ("0.5", 500), ("64", 64_000), ("1000", 1_000_000)] {
            assert_eq!(text.parse::<Overcommit>().map(|factor| factor.of(1000)), Ok(of_thousand), "{text}");
        }
        for text in ["0", "-1", "1001", "NaN", "inf", "much", ""] {
            assert!(text.parse::<Overcommit>().is_err(), "{text}");
        }
        assert_eq!(Overcommit::MEMORY.of(u32::MAX), u32::MAX);
    }
}
