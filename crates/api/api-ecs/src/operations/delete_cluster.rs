//! DeleteCluster: an empty cluster becomes `INACTIVE`.

use crate::arns::find_cluster;
use crate::errors::{Failure, cluster_not_found};
use crate::render::{self, Counts};
use crate::shapes::{DeleteClusterRequest, DeleteClusterResponse, errors};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::ecs::{Cluster, ClusterStatus};
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: DeleteClusterRequest,
) -> Result<DeleteClusterResponse, ServiceError> {
    let found = find_cluster(tables, context, Some(&input.cluster)).await?.ok_or_else(cluster_not_found)?;
    let counts = super::describe_clusters::counts(tables, &found).await?;
    if counts.running + counts.pending > 0 {
        return Err(ServiceError::new(
            &errors::CLUSTER_CONTAINS_TASKS_EXCEPTION,
            "The Cluster cannot be deleted while Tasks are active.",
        ));
    }
    let change =
        |old: &Cluster| Ok::<_, Failure>(Some(Cluster { status: ClusterStatus::Inactive, ..old.clone() }));
    let deleted = tables.update(&found.key(), change).await?.ok_or_else(cluster_not_found)?;
    Ok(DeleteClusterResponse { cluster: Some(render::cluster(context, &deleted, Counts::default())) })
}
