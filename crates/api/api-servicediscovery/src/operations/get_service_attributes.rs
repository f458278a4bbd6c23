//! GetServiceAttributes.

use crate::ServiceDiscoveryService;
use crate::lookup::service_arn;
use crate::shapes::{GetServiceAttributesRequest, GetServiceAttributesResponse, ServiceAttributes};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: GetServiceAttributesRequest,
) -> Result<GetServiceAttributesResponse, ServiceError> {
    let found = service.require_service(context, &input.service_id).await?;
    Ok(GetServiceAttributesResponse {
        service_attributes: Some(ServiceAttributes {
            service_arn: Some(service_arn(context, &found.id)),
            resource_owner: Some(found.account.to_string()),
            attributes: Some(found.attributes.clone()),
        }),
    })
}
