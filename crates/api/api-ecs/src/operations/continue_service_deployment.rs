//! ContinueServiceDeployment: the answer that a paused deployment waits for.

use crate::errors::{client, invalid, update_in_progress};
use crate::operations::describe_service_deployments::deployment_key;
use crate::operations::stop_service_deployment::not_found;
use crate::shapes::{
    ContinueServiceDeploymentRequest, ContinueServiceDeploymentResponse, DeploymentLifecycleHookAction,
};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::{HookStatus, HookTarget, Service, ServiceDeployment};
use store::Tables;

/// Attempts while the service controller writes the service.
const MOST_ATTEMPTS: usize = 32;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: ContinueServiceDeploymentRequest,
) -> Result<ContinueServiceDeploymentResponse, ServiceError> {
    let ContinueServiceDeploymentRequest { action, hook_id, service_deployment_arn: arn } = input;
    let key = deployment_key(context, &arn)?;
    let status = match action.unwrap_or(DeploymentLifecycleHookAction::Continue) {
        DeploymentLifecycleHookAction::Continue => HookStatus::Succeeded,
        DeploymentLifecycleHookAction::Rollback => HookStatus::Failed,
    };
    for _ in 0..MOST_ATTEMPTS {
        if attempt(tables, &key, &hook_id, status).await? {
            return Ok(ContinueServiceDeploymentResponse { service_deployment_arn: Some(arn) });
        }
    }
    Err(update_in_progress())
}

/// False when somebody else has written at the same time.
async fn attempt(tables: &Tables, key: &str, hook: &str, status: HookStatus) -> Result<bool, ServiceError> {
    let failed = crate::errors::store;
    let record = tables.get::<ServiceDeployment>(key).await.map_err(failed)?.ok_or_else(not_found)?;
    let owner = key.rsplit_once('/').map(|(owner, _)| owner).unwrap_or_default();
    let service = tables.get::<Service>(owner).await.map_err(failed)?;
    let is_own =
        |service: &Service| service.primary().is_some_and(|primary| primary.service_deployment == record.id);
    let service = service.filter(|service| is_own(service) && !record.status.is_final());
    let service = service.ok_or_else(|| client("The service deployment is not in progress."))?;
    let mut changed = Service::clone(&service);
    let run = changed.lifecycle.iter_mut().flat_map(|own| &mut own.hooks).find(|run| run.id == hook);
    let run = run.ok_or_else(|| invalid(format!("The lifecycle hook {hook} was not found.")))?;
    if run.target != HookTarget::Pause {
        return Err(invalid(format!("The lifecycle hook {hook} is not a PAUSE hook.")));
    }
    if run.status == status {
        return Ok(true);
    }
    if run.status != HookStatus::AwaitingAction {
        return Err(client(format!("The lifecycle hook {hook} is not awaiting an action.")));
    }
    run.status = status;
    if status == HookStatus::Failed {
        run.reason = Some("Rollback requested by a user.".to_owned());
    }
    match tables.batch().replace(&service, &changed).commit().await {
        Ok(_) => Ok(true),
        Err(error) if error.is_conflict() => Ok(false),
        Err(error) => Err(failed(error)),
    }
}
