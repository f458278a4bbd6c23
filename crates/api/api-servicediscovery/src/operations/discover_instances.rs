//! DiscoverInstances.

use super::list_instances::instances;
use crate::ServiceDiscoveryService;
use crate::errors::{no_namespace, no_service, store};
use crate::render;
use crate::shapes::{
    DiscoverInstancesRequest, DiscoverInstancesResponse, HealthStatusFilter, HttpInstanceSummary,
};
use aws_wire::{RequestContext, ServiceError};
use resources::discovery::{DiscoveryService, HealthStatus, Instance, InstancesChange, Namespace};
use std::collections::BTreeMap;
use store::Versioned;

/// Instances of an answer when the request does not say.
const USUAL: usize = 100;

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: DiscoverInstancesRequest,
) -> Result<DiscoverInstancesResponse, ServiceError> {
    let owner = input.owner_account.as_deref();
    let (namespace, found) =
        require_named(service, context, owner, &input.namespace_name, &input.service_name).await?;
    // Read first: instances that come meanwhile make the next revision another one.
    let revision = revision(service, &found).await?;
    let mut all = instances(service, &found).await?;
    let limit = input.max_results.and_then(|most| usize::try_from(most).ok()).unwrap_or(USUAL);
    let wanted = input.query_parameters.unwrap_or_default();
    all.retain(|one| has(one, &wanted));
    if let Some(optional) = input.optional_parameters.filter(|optional| !optional.is_empty())
        && all.iter().any(|one| has(one, &optional))
    {
        all.retain(|one| has(one, &optional));
    }
    let mut all = healthy(all, &found, input.health_status.unwrap_or(HealthStatusFilter::HealthyOrElseAll));
    shuffle(service.tables.environment(), &mut all);
    all.truncate(limit);
    let summary = |one: &Versioned<Instance>| HttpInstanceSummary {
        instance_id: Some(one.id.clone()),
        namespace_name: Some(namespace.name.clone()),
        service_name: Some(found.name.clone()),
        health_status: Some(render::health(one.health(&found))),
        attributes: Some(one.attributes.clone()),
    };
    Ok(DiscoverInstancesResponse {
        instances: Some(all.iter().map(summary).collect()),
        instances_revision: Some(revision),
    })
}

/// The service that names mean. Other accounts share no namespaces here.
pub(crate) async fn require_named(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    owner: Option<&str>,
    namespace_name: &str,
    service_name: &str,
) -> Result<(Versioned<Namespace>, Versioned<DiscoveryService>), ServiceError> {
    let namespace = service.namespace_named(context, namespace_name).await?;
    let namespace = namespace
        .filter(|_| owner.is_none_or(|owner| owner == context.account.as_str()))
        .ok_or_else(|| no_namespace(namespace_name))?;
    let found = service.service_named(context, &namespace, service_name).await?;
    let found = found.ok_or_else(|| no_service(service_name))?;
    Ok((namespace, found))
}

/// Grows with each registration and each end of one.
pub(crate) async fn revision(
    service: &ServiceDiscoveryService,
    found: &DiscoveryService,
) -> Result<i64, ServiceError> {
    let key = InstancesChange::key_of(&found.account, &found.id);
    let change = service.tables.get::<InstancesChange>(&key).await.map_err(store)?;
    Ok(change.map_or(0, |change| i64::try_from(change.revision).unwrap_or(i64::MAX)))
}

/// Whether an instance has all these attributes.
fn has(instance: &Instance, wanted: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| instance.attributes.get(key) == Some(value))
}

fn healthy(
    mut all: Vec<Versioned<Instance>>,
    service: &DiscoveryService,
    filter: HealthStatusFilter,
) -> Vec<Versioned<Instance>> {
    let is = |one: &Versioned<Instance>, status| one.health(service) == status;
    match filter {
        HealthStatusFilter::All => {}
        HealthStatusFilter::Healthy => all.retain(|one| is(one, HealthStatus::Healthy)),
        HealthStatusFilter::Unhealthy => all.retain(|one| is(one, HealthStatus::Unhealthy)),
        HealthStatusFilter::HealthyOrElseAll => {
            if all.iter().any(|one| is(one, HealthStatus::Healthy)) {
                all.retain(|one| is(one, HealthStatus::Healthy));
            }
        }
    }
    all
}

/// Changes the order, so that clients that take the first ones do not all take the same.
fn shuffle<T>(random: &environment::Environment, items: &mut [T]) {
    let mut bytes = vec![0; items.len() * 8];
    random.fill_random(&mut bytes);
    for (index, chunk) in bytes.chunks_exact(8).enumerate().skip(1) {
        let number = chunk.iter().fold(0u64, |number, byte| (number << 8) | u64::from(*byte));
        // A remainder by index + 1 is at most index.
        items.swap(index, (number % (index as u64 + 1)) as usize);
    }
}
