//! What checks say of a target's health.

use crate::{HealthCheck, Reason, TargetState};
use environment::Timestamp;
use std::time::Duration;

/// Pause before the second check of a new target; it doubles from check to check up to the interval, so that a target
/// that is ready soon is found soon.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// What was wrong with a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckFailure {
    /// Another code than wanted.
    Code(u16),
    /// No answer in time.
    Timeout,
    /// No connection, or no sensible answer.
    Failed,
    /// It could not be tried.
    Internal,
}

/// The health of a target as its checks have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    state: State,
    since: Timestamp,
    /// Checks of the other kind than the state's, one after the other.
    against: u32,
    /// Checks so far, while the first ones are under way.
    tried: u32,
    /// When a failure was last counted, while the first checks are under way.
    counted_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Initial,
    Healthy,
    Unhealthy(CheckFailure),
}

impl Health {
    /// Nothing is known yet.
    pub fn new(now: Timestamp) -> Self {
        Self { state: State::Initial, since: now, against: 0, tried: 0, counted_at: None }
    }

    /// What was known before, of a target that was healthy.
    pub fn healthy_since(since: Timestamp) -> Self {
        Self { state: State::Healthy, ..Self::new(since) }
    }

    /// Takes the outcome of a check; says whether the state changed.
    ///
    /// A new target is healthy after one success. While its first checks come faster than the interval, at most one failure
    /// per interval counts.
    pub fn observe(
        &mut self,
        outcome: Result<(), CheckFailure>,
        check: &HealthCheck,
        now: Timestamp,
    ) -> bool {
        match (self.state, outcome) {
            (State::Initial, Ok(())) => self.enter(State::Healthy, now),
            (State::Initial, Err(failure)) => {
                self.tried = self.tried.saturating_add(1);
                let interval = Duration::from_secs(u64::from(check.interval_seconds));
                if self.counted_at.is_none_or(|at| now.since(at) >= interval) {
                    self.counted_at = Some(now);
                    self.against += 1;
                }
                self.against >= check.unhealthy_threshold.max(1) && self.enter(State::Unhealthy(failure), now)
            }
            (State::Healthy, Ok(())) | (State::Unhealthy(_), Err(_)) => {
                self.against = 0;
                if let (State::Unhealthy(last), Err(failure)) = (&mut self.state, outcome) {
                    *last = failure;
                }
                false
            }
            (State::Healthy, Err(failure)) => {
                self.against += 1;
                self.against >= check.unhealthy_threshold.max(1) && self.enter(State::Unhealthy(failure), now)
            }
            (State::Unhealthy(_), Ok(())) => {
                self.against += 1;
                self.against >= check.healthy_threshold.max(1) && self.enter(State::Healthy, now)
            }
        }
    }

    fn enter(&mut self, state: State, now: Timestamp) -> bool {
        *self = Self { state, since: now, against: 0, tried: 0, counted_at: None };
        true
    }

    /// How long to wait before the next check.
    pub fn pause(&self, check: &HealthCheck) -> Duration {
        let interval = Duration::from_secs(u64::from(check.interval_seconds.max(1)));
        match self.state {
            State::Initial => (FIRST_PAUSE * (1 << self.tried.saturating_sub(1).min(16))).min(interval),
            State::Healthy | State::Unhealthy(_) => interval,
        }
    }

    /// Its state.
    pub fn state(&self) -> TargetState {
        match self.state {
            State::Initial => TargetState::Initial,
            State::Healthy => TargetState::Healthy,
            State::Unhealthy(_) => TargetState::Unhealthy,
        }
    }

    /// Since when.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// Why, and the same for people.
    pub fn reason(&self) -> Option<(Reason, String)> {
        let (reason, failure) = match self.state {
            State::Healthy => return None,
            State::Initial => (Reason::InitialHealthChecking, None),
            State::Unhealthy(failure) => (failure.reason(), Some(failure)),
        };
        let description = match failure {
            Some(CheckFailure::Code(code)) => format!("Health checks failed with these codes: [{code}]"),
            _ => reason.description().to_owned(),
        };
        Some((reason, description))
    }
}

impl CheckFailure {
    fn reason(self) -> Reason {
        match self {
            Self::Code(_) => Reason::ResponseCodeMismatch,
            Self::Timeout => Reason::Timeout,
            Self::Failed => Reason::FailedHealthChecks,
            Self::Internal => Reason::InternalError,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HealthCheckPort, HealthCheckProtocol};

    fn check() -> HealthCheck {
        HealthCheck {
            enabled: true,
            protocol: HealthCheckProtocol::Http,
            port: HealthCheckPort::TrafficPort,
            path: "/".into(),
            interval_seconds: 10,
            timeout_seconds: 5,
            healthy_threshold: 3,
            unhealthy_threshold: 2,
            matcher: "200".parse().expect("is one"),
        }
    }

    /// `+` is a success, `-` a failure; one interval apart.
    fn after(outcomes: &str) -> Health {
        let mut now = Timestamp::from_seconds(0);
        let mut health = Health::new(now);
        for outcome in outcomes.chars() {
            let result = if outcome == '+' { Ok(()) } else { Err(CheckFailure::Code(503)) };
            health.observe(result, &check(), now);
            now = now + Duration::from_secs(10);
        }
        health
    }

    #[test]
    fn thresholds() {
        use TargetState::{Healthy, Initial, Unhealthy};
        for (outcomes, state) in [
            ("", Initial),
            ("+", Healthy),
            ("-", Initial),
            ("--", Unhealthy),
            ("-+", Healthy),
            ("+-", Healthy),
            ("+-+-", Healthy),
            ("+--", Unhealthy),
            ("+--+", Unhealthy),
            ("+--++-+", Unhealthy),
            ("+--++-+++", Healthy),
            ("--+++", Healthy),
        ] {
            assert_eq!(after(outcomes).state(), state, "{outcomes}");
        }
    }

    #[test]
    fn reasons() {
        let mut health = after("--");
        let (reason, description) = health.reason().expect("is unhealthy");
        assert_eq!(reason, Reason::ResponseCodeMismatch);
        assert_eq!(description, "Health checks failed with these codes: [503]");
        health.observe(Err(CheckFailure::Timeout), &check(), Timestamp::from_seconds(50));
        assert_eq!(health.reason().map(|(reason, _)| reason), Some(Reason::Timeout));
        assert_eq!(after("+").reason(), None);
        assert_eq!(after("").reason().map(|(reason, _)| reason), Some(Reason::InitialHealthChecking));
    }

    #[test]
    fn first_checks_come_fast_and_count_once_an_interval() {
        let mut now = Timestamp::from_seconds(0);
        let mut health = Health::new(now);
        let mut tries = 0;
        while health.state() == TargetState::Initial {
            health.observe(Err(CheckFailure::Failed), &check(), now);
            now = now + health.pause(&check());
            tries += 1;
        }
        assert!((8..12).contains(&tries), "{tries}");
        assert!(health.since() >= Timestamp::from_seconds(10));
        assert_eq!(health.pause(&check()), Duration::from_secs(10));
        assert_eq!(Health::new(now).pause(&check()), FIRST_PAUSE);
    }
}
