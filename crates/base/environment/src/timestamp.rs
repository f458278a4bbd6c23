//! A point in time with millisecond precision, which is what AWS APIs carry.

use serde::{Deserialize, Serialize};
use std::ops::{Add, Sub};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01T00:00:00Z. Stored and sent inside the region as that number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// From the operating system's clock; times before the epoch read as the epoch.
    pub fn from_system(time: SystemTime) -> Self {
        Self(time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64))
    }

    /// The time passed since `earlier`, or zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// RFC 3339 in UTC with milliseconds, `2024-01-02T03:04:05.678Z`; times past the year 9999 are clamped.
    pub fn to_rfc3339(self) -> String {
        self.formatted("%Y-%m-%dT%H:%M:%S%.3fZ")
    }

    /// RFC 3339 in UTC with whole seconds, `2024-01-02T03:04:05Z`.
    pub fn to_rfc3339_seconds(self) -> String {
        self.formatted("%Y-%m-%dT%H:%M:%SZ")
    }

    /// The basic ISO 8601 form that SigV4 uses, `20240102T030405Z`.
    pub fn to_basic(self) -> String {
        self.formatted("%Y%m%dT%H%M%SZ")
    }

    /// Reads `20240102T030405Z`.
    pub fn parse_basic(text: &str) -> Option<Self> {
        let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
        let stamp = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        Some(Self(stamp.as_millisecond()))
    }

    /// Reads RFC 3339 text with any offset and fraction.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|stamp| Self(stamp.as_millisecond()))
    }

    fn formatted(self, format: &str) -> String {
        let stamp = jiff::Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        });
        stamp.strftime(format).to_string()
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms() {
        let stamp = Timestamp::from_millis(1_704_164_645_678);
        assert_eq!(stamp.to_rfc3339(), "2024-01-02T03:04:05.678Z");
        assert_eq!(stamp.to_rfc3339_seconds(), "2024-01-02T03:04:05Z");
        assert_eq!(stamp.to_basic(), "20240102T030405Z");
        assert_eq!(Timestamp::parse_basic("20240102T030405Z"), Some(Timestamp::from_seconds(1_704_164_645)));
        assert_eq!(Timestamp::parse_rfc3339("2024-01-02T03:04:05.678Z"), Some(stamp));
        assert_eq!(Timestamp::parse_basic("2024"), None);
    }

    #[test]
    fn extremes_do_not_panic() {
        for millis in [i64::MIN, i64::MAX, -1, 0] {
            let _ = Timestamp::from_millis(millis).to_rfc3339();
        }
        assert_eq!(Timestamp::from_millis(1).since(Timestamp::from_millis(5)), Duration::ZERO);
    }
}
