//! DescribeClusters.

use crate::arns::{cluster_arn, cluster_name};
use crate::errors::Failure;
use crate::render::{self, Counts};
use crate::shapes::{self as wire, ClusterField, DescribeClustersRequest, DescribeClustersResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::{Cluster, Service, ServiceStatus, Task};
use store::Tables;

/// Most clusters of a request.
const MOST: usize = 100;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: DescribeClustersRequest,
) -> Result<DescribeClustersResponse, ServiceError> {
    let include = input.include.unwrap_or_default();
    let mut wanted = input.clusters.unwrap_or_default();
    if wanted.is_empty() {
        wanted.push("default".to_owned());
    }
    if wanted.len() > MOST {
        return Err(crate::errors::invalid(format!("Clusters cannot have more than {MOST} elements.")));
    }
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for given in &wanted {
        let name = cluster_name(context, Some(given))?;
        let key = format!("{}/{name}", context.account);
        match tables.get::<Cluster>(&key).await.map_err(Failure::from)? {
            Some(found) => {
                let mut shown = render::cluster(context, &found, counts(tables, &found).await?);
                if include.contains(&ClusterField::Tags) {
                    shown.tags = Some(render::tags(&found.tags));
                }
                clusters.push(shown);
            }
            None => failures.push(wire::Failure {
                arn: Some(cluster_arn(context, &name)),
                reason: Some("MISSING".to_owned()),
                detail: None,
            }),
        }
    }
    Ok(DescribeClustersResponse { clusters: Some(clusters), failures: Some(failures) })
}

/// Counts a cluster's tasks and services.
pub(crate) async fn counts(tables: &Tables, cluster: &Cluster) -> Result<Counts, Failure> {
    let mut counts = Counts::default();
    let prefix = format!("{}/{}/", cluster.account, cluster.name);
    for task in tables.list_all::<Task>(&prefix).await? {
        counts.add(&task);
    }
    for service in tables.list_all::<Service>(&prefix).await? {
        counts.services += i32::from(service.status != ServiceStatus::Inactive);
        counts.active_services += i32::from(service.status == ServiceStatus::Active);
    }
    Ok(counts)
}
