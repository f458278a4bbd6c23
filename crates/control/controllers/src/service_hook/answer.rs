//! What a function answers.

use environment::Timestamp;
use resources::ecs::HookStatus;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// Wait before a function that is not done is called again, as on AWS.
const USUAL_DELAY: Duration = Duration::from_secs(30);
/// Longest wait that a function may ask for: a stage lasts no longer.
const LONGEST_DELAY: Duration = Duration::from_secs(24 * 3600);
/// Most bytes of what a function hands to its next call.
const MOST_DETAILS: usize = 64 * 1024;

/// What a hook says, as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: HookStatus,
    pub next_at: Option<Timestamp>,
    pub details: Option<String>,
    pub reason: Option<String>,
}

impl Answer {
    pub fn failed(reason: String) -> Self {
        Self { status: HookStatus::Failed, next_at: None, details: None, reason: Some(reason) }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    hook_status: Option<String>,
    call_back_delay: Option<f64>,
    hook_details: Option<Value>,
}

/// Reads an answer. One that does not say what becomes of the deployment is a failure, as on AWS.
pub fn read(text: &str, now: Timestamp) -> Answer {
    let Ok(wire) = serde_json::from_str::<Wire>(text) else {
        return Answer::failed("The lifecycle hook did not return a JSON object.".to_owned());
    };
    let plain = |status| Answer { status, next_at: None, details: None, reason: None };
    match wire.hook_status.as_deref() {
        Some("SUCCEEDED") => plain(HookStatus::Succeeded),
        Some("FAILED") => Answer::failed("The lifecycle hook returned FAILED.".to_owned()),
        Some("IN_PROGRESS") => {
            let seconds = wire.call_back_delay.filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
            let delay = seconds.map_or(USUAL_DELAY, |seconds| {
                Duration::from_secs_f64(seconds.min(LONGEST_DELAY.as_secs_f64()))
            });
            let details = wire.hook_details.map(|details| details.to_string());
            if details.as_ref().is_some_and(|details| details.len() > MOST_DETAILS) {
                return Answer::failed("The lifecycle hook returned too large hookDetails.".to_owned());
            }
            Answer { next_at: Some(now + delay), details, ..plain(HookStatus::InProgress) }
        }
        Some(_) | None => Answer::failed("The lifecycle hook did not return a valid hookStatus.".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_means_something() {
        let now = Timestamp::from_seconds(100);
        let after = |text: &str| {
            let answer = read(text, now);
            (answer.status, answer.next_at.map(Timestamp::as_seconds), answer.details)
        };
        assert_eq!(after(r#"{"hookStatus":"SUCCEEDED"}"#), (HookStatus::Succeeded, None, None));
        assert_eq!(after(r#"{"hookStatus":"FAILED"}"#).0, HookStatus::Failed);
        assert_eq!(after(r#"{"hookStatus":"IN_PROGRESS"}"#), (HookStatus::InProgress, Some(130), None));
        let told = r#"{"hookStatus":"IN_PROGRESS","callBackDelay":7,"hookDetails":{"a":1}}"#;
        assert_eq!(after(told), (HookStatus::InProgress, Some(107), Some(r#"{"a":1}"#.to_owned())));
        for odd in ["", "[]", "{}", "null", r#"{"hookStatus":"MAYBE"}"#, r#"{"hookStatus":7}"#] {
            assert_eq!(after(odd).0, HookStatus::Failed, "{odd}");
        }
        let odd = r#"{"hookStatus":"IN_PROGRESS","callBackDelay":-1e300}"#;
        assert_eq!(after(odd).1, Some(130));
        let long = r#"{"hookStatus":"IN_PROGRESS","callBackDelay":1e300}"#;
        assert_eq!(after(long).1, Some(100 + 24 * 3600));
    }
}
