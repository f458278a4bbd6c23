//! PutClusterCapacityProviders: which capacity providers a cluster has, and which of them tasks get by default.

use crate::arns::require_cluster;
use crate::capacity::{providers, strategy_of};
use crate::errors::{Failure, update_in_progress};
use crate::render;
use crate::shapes::{PutClusterCapacityProvidersRequest, PutClusterCapacityProvidersResponse, errors};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::{Cluster, Service, ServiceStatus, Task, TaskStatus};
use store::Tables;

/// Attempts while others write the cluster.
const MOST_ATTEMPTS: usize = 8;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: PutClusterCapacityProvidersRequest,
) -> Result<PutClusterCapacityProvidersResponse, ServiceError> {
    let PutClusterCapacityProvidersRequest {
        capacity_providers,
        cluster,
        default_capacity_provider_strategy,
    } = input;
    let names = providers(capacity_providers)?;
    let strategy = strategy_of(default_capacity_provider_strategy, &names)?;
    for _ in 0..MOST_ATTEMPTS {
        let old = require_cluster(tables, context, Some(&cluster)).await?;
        for gone in old.capacity_providers.iter().filter(|name| !names.contains(name)) {
            if is_used(tables, &old, gone).await? {
                return Err(ServiceError::new(
                    &errors::RESOURCE_IN_USE_EXCEPTION,
                    "The specified capacity provider is in use and cannot be removed.",
                ));
            }
        }
        let new = Cluster {
            capacity_providers: names.clone(),
            default_strategy: strategy.clone(),
            ..Cluster::clone(&old)
        };
        match tables.replace(&old, new).await {
            Ok(new) => {
                let counts = super::describe_clusters::counts(tables, &new).await?;
                let cluster = render::cluster(context, &new, counts);
                return Ok(PutClusterCapacityProvidersResponse { cluster: Some(cluster) });
            }
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(crate::errors::store(error)),
        }
    }
    Err(update_in_progress())
}

/// Whether a service or a task of a cluster runs through a provider.
async fn is_used(tables: &Tables, cluster: &Cluster, provider: &str) -> Result<bool, Failure> {
    let prefix = format!("{}/{}/", cluster.account, cluster.name);
    let of_service = |service: &Service| {
        service.status != ServiceStatus::Inactive
            && service
                .deployments
                .iter()
                .any(|own| own.workload.strategy.iter().any(|item| item.provider == provider))
    };
    let of_task = |task: &Task| {
        task.capacity_provider.as_deref() == Some(provider) && task.last_status != TaskStatus::Stopped
    };
    Ok(tables.list_all::<Service>(&prefix).await?.iter().any(|service| of_service(service))
        || tables.list_all::<Task>(&prefix).await?.iter().any(|task| of_task(task)))
}
