//! GetNamespace.

use crate::ServiceDiscoveryService;
use crate::render;
use crate::shapes::{GetNamespaceRequest, GetNamespaceResponse};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: GetNamespaceRequest,
) -> Result<GetNamespaceResponse, ServiceError> {
    let found = service.require_namespace(context, &input.id).await?;
    let services = service.count_services(&found).await?;
    Ok(GetNamespaceResponse { namespace: Some(render::namespace(context, &found, services)) })
}
