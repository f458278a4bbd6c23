//! UpdateTaskSet: another share of the desired count.

use crate::arns::require_cluster;
use crate::errors::{Failure, service_not_found};
use crate::shapes::{UpdateTaskSetRequest, UpdateTaskSetResponse};
use crate::task_set::{described_one, position, require_external, scale};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::ecs::Service;
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: UpdateTaskSetRequest,
) -> Result<UpdateTaskSetResponse, ServiceError> {
    let UpdateTaskSetRequest { cluster, scale: share, service, task_set } = input;
    let cluster = require_cluster(tables, context, Some(&cluster)).await?;
    let found = require_external(tables, context, &cluster.name, &service).await?;
    let share = scale(Some(share))?;
    let change = |old: &Service| {
        let mut new = old.clone();
        let index = position(context, old, &task_set)?;
        let own = &mut new.deployments[index];
        own.updated_at = context.time;
        if let Some(set) = &mut own.task_set {
            set.scale = share;
            set.steady_at = None;
        }
        new.steady = false;
        Ok::<_, Failure>(Some(new))
    };
    let new = tables.update(&found.key(), change).await?.ok_or_else(service_not_found)?;
    let id = new.deployments[position(context, &new, &task_set)?].id.clone();
    Ok(UpdateTaskSetResponse { task_set: described_one(tables, context, &new, &id).await? })
}
