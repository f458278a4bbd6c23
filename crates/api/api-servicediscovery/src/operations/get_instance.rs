//! GetInstance.

use crate::ServiceDiscoveryService;
use crate::errors::{no_instance, store};
use crate::shapes::{GetInstanceRequest, GetInstanceResponse, Instance as Shown};
use aws_wire::{RequestContext, ServiceError};
use resources::discovery::{DiscoveryService, Instance};
use store::Versioned;

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: GetInstanceRequest,
) -> Result<GetInstanceResponse, ServiceError> {
    let found = service.require_service(context, &input.service_id).await?;
    let instance = require_instance(service, &found, &input.instance_id).await?;
    Ok(GetInstanceResponse {
        resource_owner: Some(found.account.to_string()),
        instance: Some(Shown {
            id: instance.id.clone(),
            creator_request_id: instance.creator_request_id.clone(),
            attributes: Some(instance.attributes.clone()),
            created_by_account: Some(instance.account.to_string()),
        }),
    })
}

/// The instance of a service with an id.
pub(crate) async fn require_instance(
    service: &ServiceDiscoveryService,
    found: &DiscoveryService,
    id: &str,
) -> Result<Versioned<Instance>, ServiceError> {
    let key = Instance::key_of(&found.account, &found.id, id);
    service.tables.get::<Instance>(&key).await.map_err(store)?.ok_or_else(|| no_instance(id))
}
