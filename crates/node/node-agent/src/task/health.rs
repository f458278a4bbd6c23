//! Health of a container from the results of its check.

use environment::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// When and how often a check runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Time from the end of a check to the next.
    pub interval: Duration,
    /// Time after which a check has failed.
    pub timeout: Duration,
    /// Failures in a row that make the container unhealthy.
    pub retries: u32,
    /// Time after the start in which failures do not count.
    pub start_period: Duration,
}

/// What is known of a container's health.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthRecord {
    /// The verdict.
    pub health: Health,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Failures in a row that count.
    pub failures: u32,
    /// What the last check printed, shortened.
    pub output: String,
    /// A check is at work.
    #[serde(skip)]
    pub checking: bool,
    /// When the last check ended.
    pub checked_at: Option<Timestamp>,
}

/// The verdict on a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// No check has decided yet.
    #[default]
    Unknown,
    /// The last check passed.
    Healthy,
    /// Too many checks in a row failed.
    Unhealthy,
}

impl HealthRecord {
    /// Takes note of a check's end.
    ///
    /// The first check runs right after the start, so that a container that is ready counts at once; its failure, like
    /// that of every check within the first interval or the start period, does not count.
    pub fn observe(
        &mut self,
        check: &HealthCheck,
        passed: bool,
        output: String,
        started_at: Timestamp,
        now: Timestamp,
    ) {
        self.checking = false;
        self.checked_at = Some(now);
        self.output = output;
        let verdict = if passed {
            self.failures = 0;
            Health::Healthy
        } else {
            let grace = check.start_period.max(check.interval);
            if self.health == Health::Unknown && now < started_at + grace {
                return;
            }
            self.failures += 1;
            if self.failures < check.retries.max(1) { self.health } else { Health::Unhealthy }
        };
        if verdict != self.health {
            self.health = verdict;
            self.since = Some(now);
        }
    }

    /// When the next check is due.
    pub fn due(&self, check: &HealthCheck, started_at: Timestamp) -> Timestamp {
        self.checked_at.map_or(started_at, |checked_at| checked_at + check.interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let check = HealthCheck {
            argv: vec![],
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            retries: 2,
            start_period: Duration::from_secs(10),
        };
        let at = Timestamp::from_seconds;
        let mut record = HealthRecord::default();
        assert_eq!(record.due(&check, at(100)), at(100));
        for (second, passed, expected) in [
            (100, false, Health::Unknown),
            (109, false, Health::Unknown),
            (110, false, Health::Unknown),
            (115, true, Health::Healthy),
            (120, false, Health::Healthy),
            (125, false, Health::Unhealthy),
            (130, false, Health::Unhealthy),
            (135, true, Health::Healthy),
        ] {
            record.observe(&check, passed, String::new(), at(100), at(second));
            assert_eq!(record.health, expected, "at {second}");
        }
        assert_eq!(record.since, Some(at(135)));
        assert_eq!(record.due(&check, at(100)), at(140));
    }
}
