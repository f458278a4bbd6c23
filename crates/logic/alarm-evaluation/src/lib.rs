//! CloudWatch alarms: the data points of a metric and an alarm in, the state it should be in and why out.
//!
//! An alarm looks at a few more data points than it needs ([`range`]), so that late and missing ones do not count as
//! news while enough others are there. Only when they are too few does it matter what missing ones count as.

mod reason;
#[cfg(test)]
mod tests;

use environment::Timestamp;
use resources::cloudwatch::{AlarmWatch, MissingData, StateValue};

/// Data points beyond the evaluation periods that are looked at.
const SPARE: u32 = 2;

/// A data point that is there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Datapoint {
    /// When its period began.
    pub start: Timestamp,
    /// Its value.
    pub value: f64,
}

/// What an alarm should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The state.
    pub state: StateValue,
    /// Why, in a sentence.
    pub reason: String,
    /// Why, as JSON.
    pub data: String,
}

/// Which seconds an alarm looks at, at this time: whole periods that are over, from the first to the end of the last.
pub fn range(watch: &AlarmWatch, now: Timestamp) -> (i64, i64) {
    let period = i64::from(watch.period.max(1));
    let end = now.as_seconds() - now.as_seconds().rem_euclid(period);
    (end - period * i64::from(watch.evaluation_periods.saturating_add(SPARE)), end)
}

/// The state of an alarm by the data points of its range, the oldest first; `None` when it stays as it is.
pub fn evaluate(watch: &AlarmWatch, points: &[Datapoint], now: Timestamp) -> Option<Verdict> {
    let wanted = usize::try_from(watch.evaluation_periods).unwrap_or(usize::MAX).max(1);
    let points = &points[points.len().saturating_sub(wanted)..];
    let breaching =
        points.iter().filter(|point| watch.comparison.breaches(point.value, watch.threshold)).count();
    let missing = wanted - points.len();
    let to_alarm = usize::try_from(watch.to_alarm()).unwrap_or(usize::MAX);
    // Nothing that is there speaks against the alarm.
    let all_breach = !points.is_empty() && breaching == points.len();
    let state = match watch.missing {
        _ if breaching >= to_alarm => StateValue::Alarm,
        _ if missing == 0 => StateValue::Ok,
        MissingData::Missing if points.is_empty() => StateValue::InsufficientData,
        MissingData::Missing if all_breach => StateValue::Alarm,
        MissingData::Ignore if points.is_empty() || all_breach => return None,
        MissingData::Breaching if breaching + missing >= to_alarm => StateValue::Alarm,
        _ => StateValue::Ok,
    };
    let facts = reason::Facts { watch, points, breaching, missing, now };
    Some(Verdict { state, reason: facts.sentence(state), data: facts.json() })
}
