//! The statistics of a period.

use crate::Distribution;

/// A statistic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistic {
    /// Number of samples.
    SampleCount,
    /// Their mean.
    Average,
    /// Their sum.
    Sum,
    /// The least.
    Minimum,
    /// The greatest.
    Maximum,
    /// A percentile.
    Percentile(f64),
}

impl Statistic {
    /// Reads a statistic, `p99.9` among them. Trimmed means and the like are none that this region computes.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "SampleCount" => Self::SampleCount,
            "Average" => Self::Average,
            "Sum" => Self::Sum,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            _ => {
                let digits = text.strip_prefix('p')?;
                let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
                let percent: f64 = digits.parse().ok().filter(|_| plain)?;
                return (0.0..=100.0).contains(&percent).then_some(Self::Percentile(percent));
            }
        })
    }

    /// The statistic of a period; `None` for a percentile of which only summaries are known.
    pub fn of(self, values: &Distribution) -> Option<f64> {
        Some(match self {
            Self::SampleCount => values.count(),
            Self::Average => values.average(),
            Self::Sum => values.sum(),
            Self::Minimum => values.least(),
            Self::Maximum => values.greatest(),
            Self::Percentile(percent) => return values.percentile(percent),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_read_exactly() {
        assert_eq!(Statistic::parse("p99.9"), Some(Statistic::Percentile(99.9)));
        for bad in ["p", "p101", "p-1", "pnan", "90", "tm99", "IQM", "average", "p1e1"] {
            assert_eq!(Statistic::parse(bad), None, "{bad}");
        }
    }
}
