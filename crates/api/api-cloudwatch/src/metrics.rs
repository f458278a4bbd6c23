//! Metrics as requests name them.

use crate::errors::{invalid, missing};
use crate::shapes::Dimension;
use aws_wire::{RequestContext, ServiceError};
use environment::Timestamp;
use metric_store::Series;
use std::collections::BTreeMap;

/// Seconds of a period that metrics of the usual resolution have at least.
pub const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// The metric that a request names.
pub fn series(
    context: &RequestContext,
    namespace: &str,
    name: &str,
    dimensions: &[Dimension],
) -> Result<Series, ServiceError> {
    let mut found = BTreeMap::new();
    for dimension in dimensions {
        if found.insert(dimension.name.clone(), dimension.value.clone()).is_some() {
            return Err(invalid(format!("The dimension {} is given more than once.", dimension.name)));
        }
    }
    Ok(Series {
        account: context.account.to_string(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        dimensions: found,
    })
}

/// A name that must be there.
pub fn required<'a>(value: Option<&'a str>, parameter: &str) -> Result<&'a str, ServiceError> {
    value.ok_or_else(|| missing(format!("The parameter {parameter} is required.")))
}

/// A period as CloudWatch takes it.
pub fn check_period(period: i32) -> Result<i64, ServiceError> {
    let period = i64::from(period);
    if matches!(period, 1 | 5 | 10 | 20 | 30) || period > 0 && period % MINUTE == 0 {
        Ok(period)
    } else {
        Err(invalid(format!(
            "Period {period} is not valid: it is 1, 5, 10, 20, 30 or a multiple of 60 seconds."
        )))
    }
}

/// The second that a period begins with: rounded down to what points are that old, or to the period where it is short.
pub fn rounded_start(start: Timestamp, period: i64, now: Timestamp) -> i64 {
    let second = seconds(start);
    let unit = match seconds(now) - second {
        age if age <= 3 * HOUR && period < MINUTE => period,
        age if age <= 15 * DAY => MINUTE,
        age if age <= 63 * DAY => 5 * MINUTE,
        _ => HOUR,
    };
    second - second.rem_euclid(unit)
}

/// Seconds since the epoch.
pub fn seconds(time: Timestamp) -> i64 {
    time.as_millis().div_euclid(1000)
}
