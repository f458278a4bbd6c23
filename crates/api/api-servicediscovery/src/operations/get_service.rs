//! GetService.

use crate::ServiceDiscoveryService;
use crate::render;
use crate::shapes::{GetServiceRequest, GetServiceResponse};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: GetServiceRequest,
) -> Result<GetServiceResponse, ServiceError> {
    let found = service.require_service(context, &input.id).await?;
    let instances = service.count_instances(&found).await?;
    Ok(GetServiceResponse { service: Some(render::service(context, &found, instances)) })
}
