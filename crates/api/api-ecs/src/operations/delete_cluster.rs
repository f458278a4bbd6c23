//! DeleteCluster: an empty cluster becomes `INACTIVE`.

use crate::arns::find_cluster;
use crate::errors::{cluster_not_found, update_in_progress};
use crate::render::{self, Counts};
use crate::shapes::{DeleteClusterRequest, DeleteClusterResponse, errors};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::{Cluster, ClusterStatus};
use store::Tables;

/// Attempts while others write the cluster.
const MOST_ATTEMPTS: usize = 8;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: DeleteClusterRequest,
) -> Result<DeleteClusterResponse, ServiceError> {
    for _ in 0..MOST_ATTEMPTS {
        let found =
            find_cluster(tables, context, Some(&input.cluster)).await?.ok_or_else(cluster_not_found)?;
        let counts = super::describe_clusters::counts(tables, &found).await?;
        if counts.services > 0 {
            return Err(ServiceError::new(
                &errors::CLUSTER_CONTAINS_SERVICES_EXCEPTION,
                "The Cluster cannot be deleted while Services are active.",
            ));
        }
        if counts.running + counts.pending > 0 {
            return Err(ServiceError::new(
                &errors::CLUSTER_CONTAINS_TASKS_EXCEPTION,
                "The Cluster cannot be deleted while Tasks are active.",
            ));
        }
        // Not an update of whatever is there: a service that was made in the meantime has written the cluster, too.
        match tables
            .replace(&found, Cluster { status: ClusterStatus::Inactive, ..Cluster::clone(&found) })
            .await
        {
            Ok(deleted) => {
                let cluster = render::cluster(context, &deleted, Counts::default());
                return Ok(DeleteClusterResponse { cluster: Some(cluster) });
            }
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(crate::errors::store(error)),
        }
    }
    Err(update_in_progress())
}
