//! UpdateServicePrimaryTaskSet: what the service shows as its own is that of this task set.

use crate::arns::require_cluster;
use crate::errors::{Failure, invalid, service_not_found};
use crate::shapes::{UpdateServicePrimaryTaskSetRequest, UpdateServicePrimaryTaskSetResponse};
use crate::task_set::{described_one, position, require_external};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::ecs::Service;
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: UpdateServicePrimaryTaskSetRequest,
) -> Result<UpdateServicePrimaryTaskSetResponse, ServiceError> {
    let UpdateServicePrimaryTaskSetRequest { cluster, primary_task_set, service } = input;
    let cluster = require_cluster(tables, context, Some(&cluster)).await?;
    let found = require_external(tables, context, &cluster.name, &service).await?;
    let change = |old: &Service| {
        let mut new = old.clone();
        let index = position(context, old, &primary_task_set)?;
        let mut own = new.deployments.remove(index);
        if own.task_set.as_ref().is_some_and(|set| set.draining) {
            return Err(invalid("A task set that is DRAINING cannot be the primary task set.").into());
        }
        for set in new.deployments.iter_mut().filter_map(|one| one.task_set.as_mut()) {
            set.primary = false;
        }
        if let Some(set) = &mut own.task_set {
            set.primary = true;
        }
        own.updated_at = context.time;
        // The first is what the service shows.
        new.deployments.insert(0, own);
        Ok::<_, Failure>(Some(new))
    };
    let new = tables.update(&found.key(), change).await?.ok_or_else(service_not_found)?;
    let id = new.deployments[0].id.clone();
    Ok(UpdateServicePrimaryTaskSetResponse { task_set: described_one(tables, context, &new, &id).await? })
}
