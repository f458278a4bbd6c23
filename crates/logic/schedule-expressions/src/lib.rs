//! Schedule expressions of EventBridge and of its Scheduler: `rate(5 minutes)`, `cron(0 12 * * ? *)` and
//! `at(2026-01-31T12:00:00)`. An expression and a moment in, the next moment out; no clock is read.
//!
//! A time that the local clocks of a zone leave out in spring does not come that day; one that they show twice in
//! autumn comes once, the first time.

mod cron;
mod field;
#[cfg(test)]
mod tests;

pub use cron::Cron;

use environment::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use std::time::Duration;

/// A text is no schedule expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Parameter ScheduleExpression is not valid.")]
pub struct ExpressionError;

/// When something is to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// Again and again after this time.
    Rate(Duration),
    /// At the times of a calendar.
    Cron(Cron),
    /// Once, by a local clock.
    At(DateTime),
}

/// A time zone of the IANA database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// Universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// By its name, such as `Europe/Zurich`.
    pub fn named(name: &str) -> Option<Self> {
        if name == "UTC" {
            return Some(Self::UTC);
        }
        jiff::tz::db().get(name).ok().map(Self)
    }

    /// When the clocks of the zone show this; none when they never do.
    fn instant(&self, local: DateTime) -> Option<Timestamp> {
        let ambiguous = self.0.to_ambiguous_timestamp(local);
        let shown = match ambiguous.offset() {
            AmbiguousOffset::Gap { .. } => return None,
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok()?,
        };
        Some(Timestamp::from_millis(shown.as_millisecond()))
    }

    fn local(&self, time: Timestamp) -> Option<DateTime> {
        Some(self.0.to_datetime(jiff::Timestamp::from_millisecond(time.as_millis()).ok()?))
    }
}

impl Expression {
    /// Reads an expression of a rule: rate or cron.
    pub fn of_rule(text: &str) -> Result<Self, ExpressionError> {
        match Self::of_schedule(text)? {
            Self::At(_) => Err(ExpressionError),
            other => Ok(other),
        }
    }

    /// Reads an expression of a schedule: rate, cron or at.
    pub fn of_schedule(text: &str) -> Result<Self, ExpressionError> {
        let inside = |name: &str| {
            text.strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('('))
                .and_then(|rest| rest.strip_suffix(')'))
        };
        if let Some(rate) = inside("rate") {
            return self::rate(rate).map(Self::Rate).ok_or(ExpressionError);
        }
        if let Some(cron) = inside("cron") {
            return Cron::parse(cron).map(Self::Cron).ok_or(ExpressionError);
        }
        let at = inside("at").ok_or(ExpressionError)?;
        DateTime::strptime("%Y-%m-%dT%H:%M:%S", at).map(Self::At).map_err(|_| ExpressionError)
    }

    /// The first time after `after`. Rates count from `start`, which is their first time when `from_start`, and else
    /// only where counting begins.
    pub fn next(
        &self,
        after: Timestamp,
        start: Timestamp,
        from_start: bool,
        zone: &Zone,
    ) -> Option<Timestamp> {
        match self {
            Self::Rate(every) => Some(next_rate(*every, after, start, from_start)),
            Self::Cron(cron) => next_cron(cron, after, zone),
            Self::At(local) => zone.instant(*local).filter(|at| *at > after),
        }
    }
}

fn rate(text: &str) -> Option<Duration> {
    let (value, unit) = text.split_once(' ')?;
    if value.is_empty() || value.len() > 9 || !value.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: u64 = value.parse().ok()?;
    // One is singular and more are plural, or the expression is refused.
    let (unit, plural) = unit.strip_suffix('s').map_or((unit, false), |unit| (unit, true));
    let seconds = match unit {
        "minute" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        _ => return None,
    };
    (value > 0 && plural == (value > 1)).then(|| Duration::from_secs(value * seconds))
}

fn next_rate(every: Duration, after: Timestamp, start: Timestamp, from_start: bool) -> Timestamp {
    let first = if from_start { start } else { start + every };
    if after < first {
        return first;
    }
    let step = i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1);
    let passed = after.as_millis().saturating_sub(first.as_millis()) / step;
    Timestamp::from_millis(first.as_millis().saturating_add((passed + 1).saturating_mul(step)))
}

fn next_cron(cron: &Cron, after: Timestamp, zone: &Zone) -> Option<Timestamp> {
    let mut local = zone.local(after)?;
    // Clocks that are set back show a time again that has passed; it is looked for from before that on.
    local = local.checked_sub(jiff::Span::new().hours(3)).unwrap_or(local);
    loop {
        local = cron.next(local)?;
        if let Some(found) = zone.instant(local).filter(|found| *found > after) {
            return Some(found);
        }
    }
}
