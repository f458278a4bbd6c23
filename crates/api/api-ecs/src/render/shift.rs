//! How deployments go and where they stand, as wire shapes.

use crate::shapes as wire;
use resources::ecs::{
    DeploymentConfiguration, HookAction, HookRun, HookStatus, HookTarget, LifecycleHook, LifecycleStage,
    Strategy,
};
use wire::DeploymentLifecycleHookTargetType as Target;

pub(crate) fn configuration(configuration: &DeploymentConfiguration) -> wire::DeploymentConfiguration {
    let shifts = configuration.strategy != Strategy::Rolling;
    let minutes = |minutes: u32| i32::try_from(minutes).ok();
    let has_alarms = configuration.alarms.as_ref().is_some_and(|alarms| alarms.enabled);
    // With alarms, a time that was not told is made of theirs.
    let bake = configuration.bake_minutes.or((shifts && !has_alarms).then_some(0));
    let hooks = configuration.hooks.iter().map(hook).collect();
    wire::DeploymentConfiguration {
        deployment_circuit_breaker: Some(wire::DeploymentCircuitBreaker {
            enable: configuration.breaker,
            rollback: configuration.rollback,
        }),
        maximum_percent: i32::try_from(configuration.maximum_percent).ok(),
        minimum_healthy_percent: i32::try_from(configuration.minimum_healthy_percent).ok(),
        strategy: Some(match configuration.strategy {
            Strategy::Rolling => wire::DeploymentStrategy::Rolling,
            Strategy::BlueGreen => wire::DeploymentStrategy::BlueGreen,
            Strategy::Linear => wire::DeploymentStrategy::Linear,
            Strategy::Canary => wire::DeploymentStrategy::Canary,
        }),
        bake_time_in_minutes: bake.and_then(minutes),
        linear_configuration: configuration.linear.map(|step| wire::LinearConfiguration {
            step_percent: Some(percent(step.share)),
            step_bake_time_in_minutes: minutes(step.bake_minutes),
        }),
        canary_configuration: configuration.canary.map(|step| wire::CanaryConfiguration {
            canary_percent: Some(percent(step.share)),
            canary_bake_time_in_minutes: minutes(step.bake_minutes),
        }),
        lifecycle_hooks: shifts.then_some(hooks),
        alarms: configuration.alarms.as_ref().map(|alarms| wire::DeploymentAlarms {
            alarm_names: alarms.names.clone(),
            enable: alarms.enabled,
            rollback: alarms.rollback,
        }),
    }
}

/// Thousandths as per cent.
pub(crate) fn percent(share: u32) -> f64 {
    f64::from(share) / 10.0
}

fn hook(hook: &LifecycleHook) -> wire::DeploymentLifecycleHook {
    let (target_type, arn, role) = target(&hook.target);
    wire::DeploymentLifecycleHook {
        hook_details: hook.details.as_deref().and_then(aws_wire::Document::from_text),
        hook_target_arn: arn,
        lifecycle_stages: Some(hook.stages.iter().filter_map(|stage| stage.as_str().parse().ok()).collect()),
        role_arn: role,
        target_type: Some(target_type),
        timeout_configuration: hook.timeout_minutes.map(|minutes| {
            wire::DeploymentLifecycleHookTimeoutConfiguration {
                timeout_in_minutes: i32::try_from(minutes).ok(),
                action: Some(action(hook.on_timeout)),
            }
        }),
    }
}

fn target(target: &HookTarget) -> (Target, Option<String>, Option<String>) {
    match target {
        HookTarget::Function { arn, role } => (Target::AwsLambda, Some(arn.clone()), Some(role.clone())),
        HookTarget::Pause => (Target::Pause, None, None),
    }
}

fn action(action: HookAction) -> wire::DeploymentLifecycleHookAction {
    match action {
        HookAction::Rollback => wire::DeploymentLifecycleHookAction::Rollback,
        HookAction::Continue => wire::DeploymentLifecycleHookAction::Continue,
    }
}

pub(crate) fn hook_detail(run: &HookRun) -> wire::DeploymentLifecycleHookDetail {
    use wire::DeploymentLifecycleHookStatus as Status;
    let (target_type, arn, _) = target(&run.target);
    wire::DeploymentLifecycleHookDetail {
        expires_at: Some(run.expires_at),
        hook_id: Some(run.id.clone()),
        status: Some(match run.status {
            HookStatus::AwaitingAction => Status::AwaitingAction,
            HookStatus::InProgress => Status::InProgress,
            HookStatus::Succeeded => Status::Succeeded,
            HookStatus::Failed => Status::Failed,
            HookStatus::TimedOut => Status::TimedOut,
        }),
        target_arn: arn,
        target_type: Some(target_type),
        timeout_action: Some(action(run.on_timeout)),
    }
}

pub(crate) fn stage(stage: LifecycleStage) -> Option<wire::ServiceDeploymentLifecycleStage> {
    match stage {
        // A stage of hooks alone; the deployment is about to shift production traffic.
        LifecycleStage::PreProductionTrafficShift => LifecycleStage::ProductionTrafficShift,
        other => other,
    }
    .as_str()
    .parse()
    .ok()
}
