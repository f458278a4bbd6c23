//! What a point knows of its samples.

use serde::{Deserialize, Serialize};

/// Different values that a point keeps as they are.
const MOST_EXACT: usize = 64;
/// Bits of a number that are left out beyond that: six of its fraction stay.
const ROUNDED_BITS: u32 = 52 - 6;

/// Values with how often they came, and what is known of values that came as a summary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    count: f64,
    sum: f64,
    least: f64,
    greatest: f64,
    /// Values and how often each came, by value.
    values: Vec<(f64, f64)>,
    /// Samples came of which only a summary is known, so there are no percentiles.
    summarized: bool,
}

/// Numbers that no samples have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a distribution of numbers")]
pub struct InvalidDistribution;

impl Distribution {
    /// A value that came a number of times.
    pub fn of_value(value: f64, count: f64) -> Result<Self, InvalidDistribution> {
        let sum = value * count;
        if !value.is_finite() || !sum.is_finite() || count.is_nan() || count <= 0.0 {
            return Err(InvalidDistribution);
        }
        Ok(Self {
            count,
            sum,
            least: value,
            greatest: value,
            values: vec![(value, count)],
            summarized: false,
        })
    }

    /// A summary of samples.
    pub fn of_summary(count: f64, sum: f64, least: f64, greatest: f64) -> Result<Self, InvalidDistribution> {
        let finite = [count, sum, least, greatest].into_iter().all(f64::is_finite);
        if !finite || count <= 0.0 || least > greatest {
            return Err(InvalidDistribution);
        }
        // Where all samples are alike, each is known.
        let alike = least >= greatest;
        let values = if alike { vec![(least, count)] } else { Vec::new() };
        Ok(Self { count, sum, least, greatest, values, summarized: !alike })
    }

    /// Adds what another knows.
    pub fn merge(&mut self, other: &Self) {
        if other.count <= 0.0 {
            return;
        }
        if self.count <= 0.0 {
            self.clone_from(other);
            return;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
        self.summarized |= other.summarized;
        if self.summarized {
            self.values.clear();
            return;
        }
        for (value, count) in &other.values {
            self.insert(*value, *count);
        }
        if self.values.len() > MOST_EXACT {
            for (value, count) in std::mem::take(&mut self.values) {
                self.insert(rounded(value), count);
            }
        }
    }

    fn insert(&mut self, value: f64, count: f64) {
        match self.values.binary_search_by(|(known, _)| known.total_cmp(&value)) {
            Ok(index) => self.values[index].1 += count,
            Err(index) => self.values.insert(index, (value, count)),
        }
    }

    /// Number of samples.
    pub fn count(&self) -> f64 {
        self.count
    }

    /// Their sum.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Their mean.
    pub fn average(&self) -> f64 {
        self.sum / self.count
    }

    /// The least.
    pub fn least(&self) -> f64 {
        self.least
    }

    /// The greatest.
    pub fn greatest(&self) -> f64 {
        self.greatest
    }

    /// The value that a part of the samples, in percent, does not exceed; `None` where only summaries are known.
    pub fn percentile(&self, percent: f64) -> Option<f64> {
        let wanted = self.count * percent / 100.0;
        let mut seen = 0.0;
        for (value, count) in &self.values {
            seen += count;
            // Rounding of sums must not skip the last value.
            if seen >= wanted - self.count * 1e-9 {
                return Some(value.clamp(self.least, self.greatest));
            }
        }
        self.values.last().map(|_| self.greatest)
    }
}

/// The middle of the numbers that share the first bits of a number.
fn rounded(value: f64) -> f64 {
    let kept = value.to_bits() >> ROUNDED_BITS << ROUNDED_BITS;
    if value == 0.0 { value } else { f64::from_bits(kept | 1 << (ROUNDED_BITS - 1)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[f64]) -> Distribution {
        let mut all = Distribution::default();
        for value in values {
            all.merge(&Distribution::of_value(*value, 1.0).expect("a value"));
        }
        all
    }

    #[test]
    fn few_values_are_exact() {
        let all = of(&[4.0, 1.0, 3.0, 2.0, 2.0]);
        assert_eq!(
            (all.count(), all.sum(), all.average(), all.least(), all.greatest()),
            (5.0, 12.0, 2.4, 1.0, 4.0)
        );
        assert_eq!([0.0, 50.0, 99.0, 100.0].map(|p| all.percentile(p)), [1.0, 2.0, 4.0, 4.0].map(Some));
    }

    #[test]
    fn summaries_have_no_percentiles_but_where_all_is_alike() {
        let mut all = of(&[1.0]);
        all.merge(&Distribution::of_summary(2.0, 6.0, 3.0, 3.0).expect("a summary"));
        assert_eq!(all.percentile(99.0), Some(3.0));
        all.merge(&Distribution::of_summary(2.0, 6.0, 2.0, 4.0).expect("a summary"));
        assert_eq!((all.percentile(50.0), all.count(), all.sum()), (None, 5.0, 13.0));
        for (count, sum, least, greatest) in
            [(0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 2.0, 1.0), (1.0, f64::NAN, 1.0, 1.0)]
        {
            assert!(Distribution::of_summary(count, sum, least, greatest).is_err());
        }
        assert!(
            Distribution::of_value(f64::INFINITY, 1.0).is_err() && Distribution::of_value(1.0, 0.0).is_err()
        );
    }

    proptest! {
        #[test]
        fn many_values_keep_their_percentiles_to_a_percent(values in proptest::collection::vec(0.001f64..1e9, 1..500)) {
            let all = of(&values);
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            for percent in [1.0, 50.0, 90.0, 99.0] {
                let rank = ((sorted.len() as f64 * percent / 100.0).ceil() as usize).max(1) - 1;
                let found = all.percentile(percent).expect("values are known");
                prop_assert!((found - sorted[rank]).abs() <= sorted[rank] * 0.01, "{percent}: {found} {}", sorted[rank]);
            }
            prop_assert!(all.values.len() <= 64 + 64 * 45);
        }
    }
}
