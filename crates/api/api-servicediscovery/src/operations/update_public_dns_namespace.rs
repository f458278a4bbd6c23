//! UpdatePublicDnsNamespace: there are none.

use crate::ServiceDiscoveryService;
use crate::errors::{invalid, no_namespace};
use crate::shapes::{UpdatePublicDnsNamespaceRequest, UpdatePublicDnsNamespaceResponse};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: UpdatePublicDnsNamespaceRequest,
) -> Result<UpdatePublicDnsNamespaceResponse, ServiceError> {
    Err(match service.find_namespace(context, &input.id).await? {
        Some(_) => invalid(format!("The namespace {} is not a public DNS namespace.", input.id)),
        None => no_namespace(&input.id),
    })
}
