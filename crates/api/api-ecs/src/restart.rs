//! Restart policies of containers.

use crate::errors::client;
use crate::shapes as wire;
use aws_wire::ServiceError;
use resources::ecs::RestartPolicy;

/// Most exit codes that do not count.
const MOST_CODES: usize = 50;

pub(crate) fn store(input: wire::ContainerRestartPolicy) -> Result<RestartPolicy, ServiceError> {
    let wire::ContainerRestartPolicy { enabled, ignored_exit_codes, restart_attempt_period } = input;
    let ignored_exit_codes = ignored_exit_codes.unwrap_or_default();
    if ignored_exit_codes.len() > MOST_CODES {
        return Err(client(format!("restartPolicy.ignoredExitCodes has at most {MOST_CODES} exit codes.")));
    }
    let period = restart_attempt_period.map(u32::try_from).transpose().ok().flatten();
    if restart_attempt_period.is_some() && !period.is_some_and(|seconds| (60..=1800).contains(&seconds)) {
        return Err(client("restartPolicy.restartAttemptPeriod must be between 60 and 1800 seconds."));
    }
    Ok(RestartPolicy { enabled, ignored_exit_codes, attempt_period: period })
}

pub(crate) fn render(policy: &RestartPolicy) -> wire::ContainerRestartPolicy {
    wire::ContainerRestartPolicy {
        enabled: policy.enabled,
        ignored_exit_codes: (!policy.ignored_exit_codes.is_empty())
            .then(|| policy.ignored_exit_codes.clone()),
        restart_attempt_period: policy.attempt_period.and_then(|seconds| i32::try_from(seconds).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::code;

    #[test]
    fn bounds_are_those_of_ecs() {
        let given = |codes: usize, period| wire::ContainerRestartPolicy {
            enabled: true,
            ignored_exit_codes: Some(vec![1; codes]),
            restart_attempt_period: period,
        };
        let stored = store(given(2, Some(60))).expect("is stored");
        assert_eq!(render(&stored), given(2, Some(60)));
        assert!(store(given(50, None)).is_ok() && store(given(0, Some(1800))).is_ok());
        for wrong in [given(51, None), given(0, Some(59)), given(0, Some(1801)), given(0, Some(-1))] {
            assert_eq!(code(store(wrong)).0, "ClientException");
        }
    }
}
