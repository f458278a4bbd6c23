//! Lifecycle hooks of deployments.

use crate::errors::{Failure, invalid};
use crate::shapes as wire;
use aws_wire::ServiceError;
use identifiers::Arn;
use resources::ecs::{
    DeploymentConfiguration, HookAction, HookEndpoint, HookTarget, LifecycleHook, LifecycleStage,
};
use store::Tables;
use wire::DeploymentLifecycleHookStage as Stage;

/// Most hooks of a service.
const MOST_HOOKS: usize = 32;
/// Most bytes of what is handed to a function.
const MOST_DETAILS: usize = 64 * 1024;

/// The hooks of a request.
pub(super) fn lifecycle_hooks(
    given: Vec<wire::DeploymentLifecycleHook>,
) -> Result<Vec<LifecycleHook>, ServiceError> {
    if given.len() > MOST_HOOKS {
        return Err(invalid(format!("lifecycleHooks cannot have more than {MOST_HOOKS} elements.")));
    }
    given.into_iter().map(lifecycle_hook).collect()
}

fn lifecycle_hook(given: wire::DeploymentLifecycleHook) -> Result<LifecycleHook, ServiceError> {
    let wire::DeploymentLifecycleHook {
        hook_details,
        hook_target_arn,
        lifecycle_stages,
        role_arn,
        target_type,
        timeout_configuration,
    } = given;
    let stages = lifecycle_stages.unwrap_or_default();
    if stages.is_empty() {
        return Err(invalid("lifecycleStages must name at least one stage for every lifecycle hook."));
    }
    let is_pause = target_type == Some(wire::DeploymentLifecycleHookTargetType::Pause);
    let target = if is_pause {
        if hook_target_arn.is_some() || role_arn.is_some() || hook_details.is_some() {
            return Err(invalid("hookTargetArn, roleArn and hookDetails are not valid for PAUSE hooks."));
        }
        if stages.iter().any(|stage| matches!(stage, Stage::TestTrafficShift | Stage::ProductionTrafficShift))
        {
            return Err(invalid(
                "PAUSE hooks are not valid for the stages TEST_TRAFFIC_SHIFT and PRODUCTION_TRAFFIC_SHIFT.",
            ));
        }
        HookTarget::Pause
    } else {
        HookTarget::Function { arn: function(hook_target_arn)?, role: role(role_arn)? }
    };
    let details = hook_details.map(|details| details.to_text());
    if details.as_ref().is_some_and(|details| details.len() > MOST_DETAILS) {
        return Err(invalid("hookDetails is too large."));
    }
    let timeout = timeout_configuration.unwrap_or_default();
    Ok(LifecycleHook {
        target,
        stages: stages.into_iter().map(stored_stage).collect(),
        details,
        timeout_minutes: timeout.timeout_in_minutes.and_then(|minutes| u32::try_from(minutes).ok()),
        on_timeout: match timeout.action {
            Some(wire::DeploymentLifecycleHookAction::Continue) => HookAction::Continue,
            Some(wire::DeploymentLifecycleHookAction::Rollback) | None => HookAction::Rollback,
        },
    })
}

fn function(given: Option<String>) -> Result<String, ServiceError> {
    let given = given.ok_or_else(|| invalid("hookTargetArn is required for AWS_LAMBDA lifecycle hooks."))?;
    let is_function = given
        .parse::<Arn>()
        .is_ok_and(|arn| arn.service == "lambda" && arn.resource.starts_with("function:"));
    if is_function { Ok(given) } else { Err(invalid(format!("Invalid Lambda function ARN: {given}"))) }
}

fn role(given: Option<String>) -> Result<String, ServiceError> {
    let given = given.ok_or_else(|| invalid("roleArn is required for AWS_LAMBDA lifecycle hooks."))?;
    let is_role =
        given.parse::<Arn>().is_ok_and(|arn| arn.service == "iam" && arn.resource.starts_with("role/"));
    if is_role { Ok(given) } else { Err(invalid(format!("Invalid role ARN: {given}"))) }
}

fn stored_stage(stage: Stage) -> LifecycleStage {
    match stage {
        Stage::ReconcileService => LifecycleStage::ReconcileService,
        Stage::PreScaleUp => LifecycleStage::PreScaleUp,
        Stage::PostScaleUp => LifecycleStage::PostScaleUp,
        Stage::TestTrafficShift => LifecycleStage::TestTrafficShift,
        Stage::PostTestTrafficShift => LifecycleStage::PostTestTrafficShift,
        Stage::PreProductionTrafficShift => LifecycleStage::PreProductionTrafficShift,
        Stage::ProductionTrafficShift => LifecycleStage::ProductionTrafficShift,
        Stage::PostProductionTrafficShift => LifecycleStage::PostProductionTrafficShift,
    }
}

/// Refuses hooks whose function this region cannot call: there are no functions here, only the endpoints that its
/// settings name for them.
pub(crate) async fn check_hooks(
    tables: &Tables,
    configuration: &DeploymentConfiguration,
) -> Result<(), Failure> {
    for hook in &configuration.hooks {
        let HookTarget::Function { arn, .. } = &hook.target else { continue };
        if tables.get::<HookEndpoint>(arn).await?.is_none() {
            return Err(invalid(format!(
                "The Lambda function {arn} cannot be called. Name its endpoint with `longshore up --hook ARN=URL`."
            ))
            .into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::code;

    #[test]
    fn hooks_are_functions_or_pauses() {
        let function = wire::DeploymentLifecycleHook {
            hook_target_arn: Some("arn:aws:lambda:us-east-1:123456789012:function:check".into()),
            role_arn: Some("arn:aws:iam::123456789012:role/hooks".into()),
            lifecycle_stages: Some(vec![Stage::PostScaleUp]),
            hook_details: aws_wire::Document::from_text(r#"{"a":{"b":[1]}}"#),
            ..Default::default()
        };
        let read = lifecycle_hooks(vec![function.clone()]).expect("is right");
        assert_eq!(read[0].details.as_deref(), Some(r#"{"a":{"b":[1]}}"#));
        assert_eq!(read[0].on_timeout, HookAction::Rollback);
        let pause = wire::DeploymentLifecycleHook {
            target_type: Some(wire::DeploymentLifecycleHookTargetType::Pause),
            lifecycle_stages: Some(vec![Stage::PreProductionTrafficShift]),
            ..Default::default()
        };
        assert!(lifecycle_hooks(vec![pause.clone()]).is_ok());
        let with = |stages: Vec<Stage>| wire::DeploymentLifecycleHook {
            lifecycle_stages: Some(stages),
            ..pause.clone()
        };
        for wrong in [
            with(vec![]),
            with(vec![Stage::TestTrafficShift]),
            wire::DeploymentLifecycleHook { role_arn: function.role_arn.clone(), ..pause.clone() },
            wire::DeploymentLifecycleHook { role_arn: None, ..function.clone() },
            wire::DeploymentLifecycleHook { hook_target_arn: None, ..function.clone() },
            wire::DeploymentLifecycleHook {
                hook_target_arn: Some("http://127.0.0.1/".into()),
                ..function.clone()
            },
        ] {
            let text = format!("{wrong:?}");
            assert_eq!(code(lifecycle_hooks(vec![wrong])).0, "InvalidParameterException", "{text}");
        }
    }
}
