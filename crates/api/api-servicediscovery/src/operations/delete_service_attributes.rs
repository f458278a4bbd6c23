//! DeleteServiceAttributes.

use crate::ServiceDiscoveryService;
use crate::shapes::{DeleteServiceAttributesRequest, DeleteServiceAttributesResponse};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: DeleteServiceAttributesRequest,
) -> Result<DeleteServiceAttributesResponse, ServiceError> {
    let edit = |found: &mut resources::discovery::DiscoveryService| {
        found.attributes.retain(|key, _| !input.attributes.contains(key));
        Ok(())
    };
    service.change_service(context, &input.service_id, edit).await?;
    Ok(DeleteServiceAttributesResponse {})
}
