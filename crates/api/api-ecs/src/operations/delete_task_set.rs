//! DeleteTaskSet: its tasks are stopped, and it goes with the last of them.

use crate::arns::require_cluster;
use crate::errors::{Failure, invalid, service_not_found};
use crate::shapes::{DeleteTaskSetRequest, DeleteTaskSetResponse};
use crate::task_set::{described_one, position, require_external};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::ecs::Service;
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: DeleteTaskSetRequest,
) -> Result<DeleteTaskSetResponse, ServiceError> {
    let DeleteTaskSetRequest { cluster, force, service, task_set } = input;
    let cluster = require_cluster(tables, context, Some(&cluster)).await?;
    let found = require_external(tables, context, &cluster.name, &service).await?;
    let change = |old: &Service| {
        let mut new = old.clone();
        let index = position(context, old, &task_set)?;
        let desired = old.desired_count;
        let own = &mut new.deployments[index];
        own.updated_at = context.time;
        if let Some(set) = &mut own.task_set {
            if set.computed_count(desired) > 0 && force != Some(true) {
                return Err(invalid(
                    "The task set cannot be deleted while it is scaled above 0. Scale it down, or use force.",
                )
                .into());
            }
            set.draining = true;
            set.primary = false;
            set.steady_at = None;
        }
        new.steady = false;
        Ok::<_, Failure>(Some(new))
    };
    let new = tables.update(&found.key(), change).await?.ok_or_else(service_not_found)?;
    let id = new.deployments[position(context, &new, &task_set)?].id.clone();
    Ok(DeleteTaskSetResponse { task_set: described_one(tables, context, &new, &id).await? })
}
