//! ListInstances.

use crate::ServiceDiscoveryService;
use crate::errors::store;
use crate::paging;
use crate::shapes::{InstanceSummary, ListInstancesRequest, ListInstancesResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::discovery::{DiscoveryService, Instance};
use store::Versioned;

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: ListInstancesRequest,
) -> Result<ListInstancesResponse, ServiceError> {
    let found = service.require_service(context, &input.service_id).await?;
    let scope = format!("instances {}", found.id);
    let page = paging::request(input.next_token.as_deref(), input.max_results, scope)?;
    let all = instances(service, &found).await?;
    let (instances, next_token) = paging::cut(&page, all);
    let summary = |one: &Versioned<Instance>| InstanceSummary {
        id: Some(one.id.clone()),
        attributes: Some(one.attributes.clone()),
        created_by_account: Some(one.account.to_string()),
    };
    Ok(ListInstancesResponse {
        resource_owner: Some(found.account.to_string()),
        instances: Some(instances.iter().map(summary).collect()),
        next_token,
    })
}

/// Every instance of a service.
pub(crate) async fn instances(
    service: &ServiceDiscoveryService,
    found: &DiscoveryService,
) -> Result<Vec<Versioned<Instance>>, ServiceError> {
    service.tables.list_all(&Instance::keys_of(&found.account, &found.id)).await.map_err(store)
}
