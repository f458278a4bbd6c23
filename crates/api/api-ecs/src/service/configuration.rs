//! How deployments go, as requests tell it.

use super::hooks::lifecycle_hooks;
use crate::errors::invalid;
use crate::shapes as wire;
use aws_wire::ServiceError;
use resources::ecs::{DeploymentAlarms, DeploymentConfiguration, LifecycleHook, Strategy, TrafficStep};

/// Largest maximum percent.
const MOST_PERCENT: i32 = 100_000;
/// Longest bake time in minutes.
const MOST_MINUTES: i32 = 1_440;
/// Most alarms that a deployment watches: as many as one call of DescribeAlarms tells of.
const MOST_ALARMS: usize = 100;
/// Longest name of an alarm.
const LONGEST_ALARM: usize = 255;
/// What AWS has when a linear strategy does not say.
const LINEAR: TrafficStep = TrafficStep { share: 100, bake_minutes: 6 };
/// What AWS has when a canary strategy does not say.
const CANARY: TrafficStep = TrafficStep { share: 50, bake_minutes: 10 };

/// What a request changes of how deployments go.
pub(crate) fn deployment_configuration(
    given: Option<wire::DeploymentConfiguration>,
    old: &DeploymentConfiguration,
) -> Result<DeploymentConfiguration, ServiceError> {
    let Some(given) = given else { return Ok(old.clone()) };
    let wire::DeploymentConfiguration {
        alarms,
        bake_time_in_minutes,
        canary_configuration,
        deployment_circuit_breaker,
        lifecycle_hooks: hooks,
        linear_configuration,
        maximum_percent,
        minimum_healthy_percent,
        strategy,
    } = given;
    let strategy = strategy.map_or(old.strategy, stored_strategy);
    let (breaker, rollback) = deployment_circuit_breaker
        .map_or((old.breaker, old.rollback), |breaker| (breaker.enable, breaker.rollback));
    if rollback && !breaker {
        return Err(invalid("A circuit breaker that is not enabled cannot roll back."));
    }
    Ok(DeploymentConfiguration {
        minimum_healthy_percent: percent(
            minimum_healthy_percent,
            old.minimum_healthy_percent,
            (0, 100),
            "minimumHealthyPercent",
        )?,
        maximum_percent: percent(
            maximum_percent,
            old.maximum_percent,
            (100, MOST_PERCENT),
            "maximumPercent",
        )?,
        breaker,
        rollback,
        strategy,
        bake_minutes: bake_time(bake_time_in_minutes, strategy, old.bake_minutes)?,
        linear: linear(linear_configuration, strategy, old.linear)?,
        canary: canary(canary_configuration, strategy, old.canary)?,
        hooks: hooks_of(hooks, strategy, &old.hooks)?,
        alarms: alarms.map(stored_alarms).transpose()?.or_else(|| old.alarms.clone()),
    })
}

/// AWS takes names of alarms that do not exist: an alarm on a metric of the service is often made after it.
fn stored_alarms(given: wire::DeploymentAlarms) -> Result<DeploymentAlarms, ServiceError> {
    let wire::DeploymentAlarms { alarm_names, enable, rollback } = given;
    let mut names: Vec<String> = Vec::with_capacity(alarm_names.len());
    for name in alarm_names {
        if name.is_empty() || name.chars().count() > LONGEST_ALARM {
            return Err(invalid(format!("alarmNames must have between 1 and {LONGEST_ALARM} characters.")));
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.len() > MOST_ALARMS {
        return Err(invalid(format!("A service can have at most {MOST_ALARMS} alarmNames.")));
    }
    if enable && names.is_empty() {
        return Err(invalid("alarmNames cannot be empty when alarms are enabled."));
    }
    Ok(DeploymentAlarms { names, enabled: enable, rollback })
}

fn stored_strategy(strategy: wire::DeploymentStrategy) -> Strategy {
    match strategy {
        wire::DeploymentStrategy::Rolling => Strategy::Rolling,
        wire::DeploymentStrategy::BlueGreen => Strategy::BlueGreen,
        wire::DeploymentStrategy::Linear => Strategy::Linear,
        wire::DeploymentStrategy::Canary => Strategy::Canary,
    }
}

fn percent(given: Option<i32>, old: u32, range: (i32, i32), name: &str) -> Result<u32, ServiceError> {
    let Some(given) = given else { return Ok(old) };
    let (least, most) = range;
    u32::try_from(given)
        .ok()
        .filter(|_| (least..=most).contains(&given))
        .ok_or_else(|| invalid(format!("{name} must be between {least} and {most}.")))
}

fn minutes(given: i32, name: &str) -> Result<u32, ServiceError> {
    u32::try_from(given)
        .ok()
        .filter(|_| given <= MOST_MINUTES)
        .ok_or_else(|| invalid(format!("{name} must be between 0 and {MOST_MINUTES}.")))
}

fn bake_time(given: Option<i32>, strategy: Strategy, old: Option<u32>) -> Result<Option<u32>, ServiceError> {
    match given {
        Some(given) if strategy != Strategy::Rolling => minutes(given, "bakeTimeInMinutes").map(Some),
        // Nothing bakes, and nothing is all that may be asked for.
        Some(0) => Ok(None),
        Some(_) => Err(only_for("bakeTimeInMinutes", "BLUE_GREEN, LINEAR or CANARY")),
        None if strategy == Strategy::Rolling => Ok(None),
        None => Ok(old),
    }
}

fn linear(
    given: Option<wire::LinearConfiguration>,
    strategy: Strategy,
    old: Option<TrafficStep>,
) -> Result<Option<TrafficStep>, ServiceError> {
    if strategy != Strategy::Linear {
        return if given.is_some() { Err(only_for("linearConfiguration", "LINEAR")) } else { Ok(None) };
    }
    let Some(given) = given else { return Ok(old.or(Some(LINEAR))) };
    let share = given.step_percent.map(|percent| share(percent, 30, "stepPercent")).transpose()?;
    let bake = given.step_bake_time_in_minutes.map(|bake| minutes(bake, "stepBakeTimeInMinutes"));
    Ok(Some(TrafficStep {
        share: share.unwrap_or(LINEAR.share),
        bake_minutes: bake.transpose()?.unwrap_or(LINEAR.bake_minutes),
    }))
}

fn canary(
    given: Option<wire::CanaryConfiguration>,
    strategy: Strategy,
    old: Option<TrafficStep>,
) -> Result<Option<TrafficStep>, ServiceError> {
    if strategy != Strategy::Canary {
        return if given.is_some() { Err(only_for("canaryConfiguration", "CANARY")) } else { Ok(None) };
    }
    let Some(given) = given else { return Ok(old.or(Some(CANARY))) };
    let share = given.canary_percent.map(|percent| share(percent, 1, "canaryPercent")).transpose()?;
    let bake = given.canary_bake_time_in_minutes.map(|bake| minutes(bake, "canaryBakeTimeInMinutes"));
    Ok(Some(TrafficStep {
        share: share.unwrap_or(CANARY.share),
        bake_minutes: bake.transpose()?.unwrap_or(CANARY.bake_minutes),
    }))
}

fn hooks_of(
    given: Option<Vec<wire::DeploymentLifecycleHook>>,
    strategy: Strategy,
    old: &[LifecycleHook],
) -> Result<Vec<LifecycleHook>, ServiceError> {
    match given {
        Some(given) if given.is_empty() => Ok(Vec::new()),
        Some(_) if strategy == Strategy::Rolling => {
            Err(only_for("lifecycleHooks", "BLUE_GREEN, LINEAR or CANARY"))
        }
        Some(given) => lifecycle_hooks(given),
        None if strategy == Strategy::Rolling => Ok(Vec::new()),
        None => Ok(old.to_vec()),
    }
}

fn only_for(name: &str, strategies: &str) -> ServiceError {
    invalid(format!("{name} is only valid when the deployment strategy is {strategies}."))
}

/// Tenths of a per cent, which is as fine as AWS takes it.
fn share(percent: f64, least: u32, name: &str) -> Result<u32, ServiceError> {
    let tenths = percent * 10.0;
    let whole = tenths.round();
    let is_good =
        percent.is_finite() && (tenths - whole).abs() < 1e-6 && whole >= f64::from(least) && whole <= 1_000.0;
    if is_good {
        return Ok(whole as u32);
    }
    let least = f64::from(least) / 10.0;
    Err(invalid(format!("{name} must be a multiple of 0.1 between {least:.1} and 100.0.")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::code;

    fn read(given: wire::DeploymentConfiguration) -> Result<DeploymentConfiguration, ServiceError> {
        deployment_configuration(Some(given), &DeploymentConfiguration::default())
    }

    #[test]
    fn strategies_have_their_defaults_and_keep_what_is_not_told_anew() {
        let canary = wire::DeploymentConfiguration {
            strategy: Some(wire::DeploymentStrategy::Canary),
            bake_time_in_minutes: Some(3),
            ..Default::default()
        };
        let canary = read(canary).expect("is right");
        assert_eq!((canary.canary, canary.linear, canary.bake_minutes), (Some(CANARY), None, Some(3)));
        let finer = wire::DeploymentConfiguration {
            canary_configuration: Some(wire::CanaryConfiguration {
                canary_percent: Some(0.3),
                canary_bake_time_in_minutes: None,
            }),
            ..Default::default()
        };
        let finer = deployment_configuration(Some(finer), &canary).expect("is right");
        assert_eq!(finer.canary, Some(TrafficStep { share: 3, bake_minutes: 10 }));
        assert_eq!(finer.bake_minutes, Some(3));
        let rolling = wire::DeploymentConfiguration {
            strategy: Some(wire::DeploymentStrategy::Rolling),
            ..Default::default()
        };
        let rolling = deployment_configuration(Some(rolling), &finer).expect("is right");
        assert_eq!(rolling, DeploymentConfiguration::default());
    }

    #[test]
    fn alarms_are_told_as_a_whole_and_kept() {
        let alarms = |names: &[&str], enable| wire::DeploymentConfiguration {
            alarms: Some(wire::DeploymentAlarms {
                alarm_names: names.iter().map(|name| (*name).to_owned()).collect(),
                enable,
                rollback: true,
            }),
            ..Default::default()
        };
        let on = read(alarms(&["a", "b", "a"], true)).expect("is right");
        let stored = DeploymentAlarms { names: vec!["a".into(), "b".into()], enabled: true, rollback: true };
        assert_eq!(on.alarms, Some(stored));
        let kept = deployment_configuration(Some(wire::DeploymentConfiguration::default()), &on);
        assert_eq!(kept.expect("is right").alarms, on.alarms);
        let off = deployment_configuration(Some(alarms(&[], false)), &on).expect("is right");
        assert!(off.alarms.is_some_and(|alarms| !alarms.enabled && alarms.names.is_empty()));
        let many: Vec<String> = (0..101).map(|index| format!("a{index}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for wrong in [
            alarms(&[], true),
            alarms(&[""], true),
            alarms(&["x".repeat(256).as_str()], true),
            alarms(&many, true),
        ] {
            assert_eq!(code(read(wrong)).0, "InvalidParameterException");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let linear = |percent: f64, bake: i32| wire::DeploymentConfiguration {
            strategy: Some(wire::DeploymentStrategy::Linear),
            linear_configuration: Some(wire::LinearConfiguration {
                step_percent: Some(percent),
                step_bake_time_in_minutes: Some(bake),
            }),
            ..Default::default()
        };
        assert!(read(linear(33.3, 0)).is_ok());
        let bake = wire::DeploymentConfiguration { bake_time_in_minutes: Some(5), ..Default::default() };
        for wrong in [
            linear(2.9, 0),
            linear(100.1, 0),
            linear(33.33, 0),
            linear(f64::NAN, 0),
            linear(10.0, -1),
            linear(10.0, 1_441),
            bake,
            wire::DeploymentConfiguration { strategy: None, ..linear(10.0, 0) },
        ] {
            let text = format!("{wrong:?}");
            assert_eq!(code(read(wrong)).0, "InvalidParameterException", "{text}");
        }
    }
}
