//! UpdatePrivateDnsNamespace.

use super::create_private_dns_namespace::soa_ttl;
use super::update_http_namespace::change;
use crate::ServiceDiscoveryService;
use crate::errors::invalid;
use crate::shapes::{UpdatePrivateDnsNamespaceRequest, UpdatePrivateDnsNamespaceResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::discovery::{Namespace, NamespaceKind};

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: UpdatePrivateDnsNamespaceRequest,
) -> Result<UpdatePrivateDnsNamespaceResponse, ServiceError> {
    let properties = input.namespace.properties.as_ref();
    let ttl = properties.map(|given| soa_ttl(given.dns_properties.soa.ttl)).transpose()?;
    let edit = |namespace: &mut Namespace| {
        let NamespaceKind::PrivateDns { soa_ttl, .. } = &mut namespace.kind else {
            return Err(invalid(format!("The namespace {} is not a private DNS namespace.", input.id)));
        };
        *soa_ttl = ttl.unwrap_or(*soa_ttl);
        if let Some(description) = &input.namespace.description {
            namespace.description = Some(description.clone()).filter(|text| !text.is_empty());
        }
        Ok(())
    };
    let operation = change(service, context, &input.id, edit).await?;
    Ok(UpdatePrivateDnsNamespaceResponse { operation_id: Some(operation) })
}
