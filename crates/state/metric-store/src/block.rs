//! Series, samples, and how points of them are written down.

use crate::Distribution;
use environment::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// What a metric is known by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Series {
    /// Owner.
    pub account: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Dimensions, by name.
    pub dimensions: BTreeMap<String, String>,
}

/// A sample of a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Its metric.
    pub series: Series,
    /// Its unit.
    pub unit: String,
    /// When it was taken, in seconds; those of one point share it.
    pub second: i64,
    /// Its values.
    pub values: Distribution,
}

/// Points of series: by unit, then by the second that each begins with.
pub(crate) type Points = BTreeMap<String, BTreeMap<i64, Distribution>>;
/// Points by series.
pub(crate) type Table = BTreeMap<Arc<Series>, Points>;

/// A record of a block: one series, first its name.
#[derive(Serialize, Deserialize)]
pub(crate) struct Written {
    pub(crate) series: Series,
    pub(crate) points: Points,
}

/// Adds points, each at the beginning of its `resolution` seconds.
pub(crate) fn add(into: &mut Points, unit: &str, second: i64, resolution: i64, values: &Distribution) {
    let start = second - second.rem_euclid(resolution);
    let units = match into.get_mut(unit) {
        Some(units) => units,
        None => into.entry(unit.to_owned()).or_default(),
    };
    units.entry(start).or_default().merge(values);
}

/// The name of a block: a number that no other has, its resolution, and the seconds of its first and last point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockName {
    pub(crate) number: u64,
    pub(crate) resolution: i64,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

impl BlockName {
    /// Of the points of a table; `None` when there are none.
    pub(crate) fn of(number: u64, resolution: i64, table: &Table) -> Option<Self> {
        let seconds = || table.values().flat_map(BTreeMap::values);
        let first = seconds().filter_map(|points| points.keys().next()).min()?;
        let last = seconds().filter_map(|points| points.keys().next_back()).max()?;
        Some(Self { number, resolution, first: *first, last: *last })
    }
}

impl fmt::Display for BlockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:x}-{:x}-{:x}", self.number, self.resolution, self.first, self.last)
    }
}

/// Not the name of a block.
#[derive(Debug)]
pub(crate) struct NoBlockName;

impl FromStr for BlockName {
    type Err = NoBlockName;

    fn from_str(text: &str) -> Result<Self, NoBlockName> {
        let mut parts = text.split('-').map(|part| i64::from_str_radix(part, 16));
        let mut next = || parts.next().and_then(Result::ok).ok_or(NoBlockName);
        let (number, resolution, first, last) = (next()?, next()?, next()?, next()?);
        match (u64::try_from(number), text.split('-').count()) {
            (Ok(number), 4) if resolution > 0 && first <= last => {
                Ok(Self { number, resolution, first, last })
            }
            _ => Err(NoBlockName),
        }
    }
}

/// Resolutions in seconds, and the age in seconds at which points become those of the next.
pub(crate) const TIERS: [(i64, i64); 4] =
    [(1, 3 * HOUR), (60, 15 * 24 * HOUR), (300, 63 * 24 * HOUR), (3600, 455 * 24 * HOUR)];
pub(crate) const HOUR: i64 = 3600;

/// The resolution that points of a resolution have at an age; `None` when they are gone.
pub(crate) fn resolution_at(resolution: i64, age: i64) -> Option<i64> {
    TIERS.into_iter().find(|(tier, until)| *tier >= resolution && age <= *until).map(|(tier, _)| tier)
}

/// Seconds since the epoch.
pub(crate) fn seconds(time: Timestamp) -> i64 {
    time.as_millis().div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_blocks_hold() {
        let name = BlockName { number: 7, resolution: 60, first: 1_700_000_000, last: 1_700_000_060 };
        assert!(name.to_string().parse().is_ok_and(|parsed: BlockName| parsed == name));
        for bad in ["", "7", "7-3c-2-1", "7-0-1-2", "7-3c-1-2-3", "x-3c-1-2"] {
            assert!(bad.parse::<BlockName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn points_grow_coarser_and_go() {
        for (resolution, age, expected) in [
            (1, 0, Some(1)),
            (1, 3 * HOUR + 1, Some(60)),
            (60, 0, Some(60)),
            (60, 15 * 24 * HOUR + 1, Some(300)),
            (1, 64 * 24 * HOUR, Some(3600)),
            (3600, 456 * 24 * HOUR, None),
        ] {
            assert_eq!(resolution_at(resolution, age), expected, "{resolution} {age}");
        }
    }
}
