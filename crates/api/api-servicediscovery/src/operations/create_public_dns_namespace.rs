//! CreatePublicDnsNamespace: refused, for this region is no one's public name server.

use crate::ServiceDiscoveryService;
use crate::errors::invalid;
use crate::shapes::{CreatePublicDnsNamespaceRequest, CreatePublicDnsNamespaceResponse};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    _service: &ServiceDiscoveryService,
    _context: &RequestContext,
    _input: CreatePublicDnsNamespaceRequest,
) -> Result<CreatePublicDnsNamespaceResponse, ServiceError> {
    Err(invalid(
        "Public DNS namespaces are not supported by this region: it registers no domains. Use a private DNS namespace \
         or an HTTP namespace.",
    ))
}
