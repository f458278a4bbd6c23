//! UpdateServiceAttributes: adds and changes; those not named stay.

use crate::ServiceDiscoveryService;
use crate::shapes::{UpdateServiceAttributesRequest, UpdateServiceAttributesResponse, errors};
use aws_wire::{RequestContext, ServiceError};

/// Most attributes of a service.
const MOST: usize = 30;

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: UpdateServiceAttributesRequest,
) -> Result<UpdateServiceAttributesResponse, ServiceError> {
    let edit = |found: &mut resources::discovery::DiscoveryService| {
        found.attributes.extend(input.attributes.clone());
        if found.attributes.len() > MOST {
            return Err(ServiceError::new(
                &errors::SERVICE_ATTRIBUTES_LIMIT_EXCEEDED_EXCEPTION,
                "A service can have at most 30 attributes.",
            ));
        }
        Ok(())
    };
    service.change_service(context, &input.service_id, edit).await?;
    Ok(UpdateServiceAttributesResponse {})
}
