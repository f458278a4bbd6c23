//! DeleteService: a service becomes `DRAINING`; the service controller ends its tasks.

use crate::arns::require_cluster;
use crate::errors::{Failure, invalid, service_not_found};
use crate::render::service as render;
use crate::service::require_service;
use crate::shapes::{DeleteServiceRequest, DeleteServiceResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::ecs::{Service, ServiceStatus};
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: DeleteServiceRequest,
) -> Result<DeleteServiceResponse, ServiceError> {
    let DeleteServiceRequest { cluster, force, service } = input;
    let cluster = require_cluster(tables, context, cluster.as_deref()).await?;
    let found = require_service(tables, context, &cluster.name, &service).await?;
    let change = |old: &Service| match old.status {
        ServiceStatus::Active if old.desired_count > 0 && force != Some(true) => {
            Err(invalid("The service cannot be stopped while it is scaled above 0.").into())
        }
        ServiceStatus::Active => Ok::<_, Failure>(Some(Service {
            status: ServiceStatus::Draining,
            desired_count: 0,
            stop_requested: None,
            ..old.clone()
        })),
        ServiceStatus::Draining => Ok(None),
        ServiceStatus::Inactive => Err(service_not_found().into()),
    };
    let deleted = tables.update(&found.key(), change).await?.ok_or_else(service_not_found)?;
    Ok(DeleteServiceResponse { service: Some(render::described(tables, context, &deleted, true).await?) })
}
