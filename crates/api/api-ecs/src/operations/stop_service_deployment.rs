//! StopServiceDeployment: asks the service controller to stop a deployment, or to roll it back.

use crate::errors::update_in_progress;
use crate::operations::describe_service_deployments::deployment_key;
use crate::shapes::{
    StopServiceDeploymentRequest, StopServiceDeploymentResponse, StopServiceDeploymentStopType as Wanted,
    errors,
};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::{
    RolloutState, Service, ServiceDeployment, ServiceDeploymentStatus as Status, ServiceStatus, StopType,
};
use store::Tables;

/// Attempts while the service controller writes the service.
const MOST_ATTEMPTS: usize = 32;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: StopServiceDeploymentRequest,
) -> Result<StopServiceDeploymentResponse, ServiceError> {
    let StopServiceDeploymentRequest { service_deployment_arn: arn, stop_type } = input;
    let key = deployment_key(context, &arn)?;
    // As on AWS, a deployment is rolled back unless told otherwise.
    let stop = match stop_type.unwrap_or(Wanted::Rollback) {
        Wanted::Rollback => StopType::Rollback,
        Wanted::Abort => StopType::Abort,
    };
    for _ in 0..MOST_ATTEMPTS {
        if attempt(tables, context, &key, stop).await? {
            return Ok(StopServiceDeploymentResponse { service_deployment_arn: Some(arn) });
        }
    }
    Err(update_in_progress())
}

/// There is no such service deployment.
pub(crate) fn not_found() -> ServiceError {
    ServiceError::new(
        &errors::SERVICE_DEPLOYMENT_NOT_FOUND_EXCEPTION,
        "The specified service deployment was not found.",
    )
}

/// False when somebody else has written at the same time.
async fn attempt(
    tables: &Tables,
    context: &RequestContext,
    key: &str,
    stop: StopType,
) -> Result<bool, ServiceError> {
    let record = tables.get::<ServiceDeployment>(key).await.map_err(crate::errors::store)?;
    let record = record.ok_or_else(not_found)?;
    let conflict = |why: &'static str| ServiceError::new(&errors::CONFLICT_EXCEPTION, why);
    match record.status {
        // It is asked for already, or under way.
        Status::StopRequested | Status::RollbackRequested | Status::RollbackInProgress => return Ok(true),
        Status::Pending | Status::InProgress => {}
        Status::Successful | Status::Stopped | Status::RollbackSuccessful | Status::RollbackFailed => {
            return Err(conflict("The service deployment is not in progress."));
        }
    }
    let owner = key.rsplit_once('/').map(|(owner, _)| owner).unwrap_or_default();
    let service = tables.get::<Service>(owner).await.map_err(crate::errors::store)?;
    let service = service.filter(|service| service.status == ServiceStatus::Active);
    let service = service.ok_or_else(|| conflict("The service is not ACTIVE."))?;
    let primary = service.primary().filter(|primary| {
        primary.service_deployment == record.id && primary.rollout == RolloutState::InProgress
    });
    let primary = primary.ok_or_else(|| conflict("The service deployment is not in progress."))?;
    let has_target =
        service.last_completed.as_ref().is_some_and(|completed| completed.deployment != primary.id);
    if stop == StopType::Rollback && !has_target {
        return Err(conflict("There is no completed service deployment to roll back to."));
    }
    let status = if stop == StopType::Rollback { Status::RollbackRequested } else { Status::StopRequested };
    let asked = ServiceDeployment { status, updated_at: context.time, ..ServiceDeployment::clone(&record) };
    let batch = tables
        .batch()
        .replace(&record, &asked)
        .replace(&service, &Service { stop_requested: Some(stop), ..Service::clone(&service) });
    match batch.commit().await {
        Ok(_) => Ok(true),
        Err(error) if error.is_conflict() => Ok(false),
        Err(error) => Err(crate::errors::store(error)),
    }
}
