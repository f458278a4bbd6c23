//! Passive health: a target that fails again and again gets nothing for a while.
//!
//! The rules are those of Envoy's outlier detection, which the proxies of Service Connect are: failures one after the other eject
//! a target, each further ejection lasts longer, and never more than a share of the targets is ejected at a time.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// When targets are ejected, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutlierDetection {
    /// Failures one after the other that eject a target.
    pub consecutive_failures: u32,
    /// How long the first ejection lasts, in seconds; the second lasts twice as long, and so on.
    pub base_ejection_seconds: u32,
    /// Longest ejection in seconds, and time without one after which they are counted anew.
    pub longest_ejection_seconds: u32,
    /// Most targets that are ejected at a time, in per cent of all.
    pub most_ejected_percent: u32,
}

impl Default for OutlierDetection {
    /// As Service Connect has it.
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            base_ejection_seconds: 30,
            longest_ejection_seconds: 300,
            most_ejected_percent: 50,
        }
    }
}

impl OutlierDetection {
    /// Whether one more of so many targets may be ejected.
    pub fn may_eject(&self, ejected: usize, targets: usize) -> bool {
        (ejected + 1) * 100 <= targets * self.most_ejected_percent as usize
    }
}

/// What a target's answers say of it. Times are those of a clock that never goes back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlier {
    /// Failures one after the other.
    failures: u32,
    /// Ejections so far.
    ejections: u32,
    /// Until when it is ejected.
    until: Option<Duration>,
    /// When the last ejection ended.
    returned_at: Duration,
}

impl Outlier {
    /// Takes the outcome of a request; says whether the target is to be ejected.
    pub fn observe(&mut self, is_good: bool, detection: &OutlierDetection) -> bool {
        if is_good {
            self.failures = 0;
            return false;
        }
        self.failures = self.failures.saturating_add(1);
        self.until.is_none() && self.failures >= detection.consecutive_failures
    }

    /// Ejects it.
    pub fn eject(&mut self, detection: &OutlierDetection, now: Duration) {
        let longest = Duration::from_secs(u64::from(detection.longest_ejection_seconds));
        if now.saturating_sub(self.returned_at) >= longest {
            self.ejections = 0;
        }
        self.ejections = self.ejections.saturating_add(1);
        let time = Duration::from_secs(u64::from(detection.base_ejection_seconds)) * self.ejections;
        self.failures = 0;
        self.until = Some(now + time.min(longest));
    }

    /// Whether it gets nothing at present.
    pub fn is_ejected(&self) -> bool {
        self.until.is_some()
    }

    /// Ends an ejection whose time is over; says whether it did.
    pub fn end(&mut self, now: Duration) -> bool {
        let is_over = self.until.is_some_and(|until| now >= until);
        if is_over {
            self.until = None;
            self.returned_at = now;
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_eject_and_each_time_for_longer() {
        let detection = OutlierDetection::default();
        let mut outlier = Outlier::default();
        for _ in 0..4 {
            assert!(!outlier.observe(false, &detection));
        }
        assert!(!outlier.observe(true, &detection), "a success counts anew");
        let fail =
            |outlier: &mut Outlier| (0..5).map(|_| outlier.observe(false, &detection)).collect::<Vec<_>>();
        assert_eq!(fail(&mut outlier), [false, false, false, false, true]);
        let seconds = Duration::from_secs;
        outlier.eject(&detection, seconds(10));
        assert!(outlier.is_ejected() && !outlier.end(seconds(39)) && outlier.end(seconds(40)));
        assert_eq!(fail(&mut outlier).last(), Some(&true));
        outlier.eject(&detection, seconds(50));
        assert!(!outlier.end(seconds(109)) && outlier.end(seconds(110)), "twice as long");
        // Long after that it is the first time again.
        outlier.eject(&detection, seconds(1_000));
        assert!(outlier.end(seconds(1_030)) && !outlier.is_ejected());
    }

    #[test]
    fn half_of_the_targets_stay() {
        let detection = OutlierDetection::default();
        for (ejected, targets, may) in
            [(0, 1, false), (0, 2, true), (1, 2, false), (0, 3, true), (1, 3, false), (1, 4, true)]
        {
            assert_eq!(detection.may_eject(ejected, targets), may, "{ejected} of {targets}");
        }
    }
}
