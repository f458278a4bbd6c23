//! CreatePrivateDnsNamespace.

use super::create_http_namespace::{Wanted, create};
use crate::ServiceDiscoveryService;
use crate::errors::{invalid, store};
use crate::shapes::{CreatePrivateDnsNamespaceRequest, CreatePrivateDnsNamespaceResponse};
use crate::validate::private_name;
use aws_wire::{RequestContext, ServiceError};
use resources::discovery::NamespaceKind;
use resources::ec2::Vpc;

/// Seconds that an answer may be kept that says that there is nothing, when the request does not say.
const USUAL_SOA_TTL: u32 = 15;
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: CreatePrivateDnsNamespaceRequest,
) -> Result<CreatePrivateDnsNamespaceResponse, ServiceError> {
    private_name(&input.name)?;
    let vpc = service.tables.get::<Vpc>(&format!("{}/{}", context.account, input.vpc)).await;
    if input.vpc.contains('/') || vpc.map_err(store)?.is_none() {
        return Err(invalid(format!("The VPC ID {} is not valid.", input.vpc)));
    }
    let soa_ttl =
        input.properties.map(|properties| soa_ttl(properties.dns_properties.soa.ttl)).transpose()?;
    let hosted_zone = format!("Z{}", service.tables.environment().random_text(20, LETTERS));
    let wanted = Wanted {
        name: input.name,
        kind: NamespaceKind::PrivateDns {
            vpc: input.vpc,
            hosted_zone,
            soa_ttl: soa_ttl.unwrap_or(USUAL_SOA_TTL),
        },
        description: input.description,
        creator_request_id: input.creator_request_id,
        tags: input.tags,
    };
    let operation = create(service, context, wanted).await?;
    Ok(CreatePrivateDnsNamespaceResponse { operation_id: Some(operation) })
}

/// The TTL of a zone's start of authority.
pub(crate) fn soa_ttl(given: i64) -> Result<u32, ServiceError> {
    u32::try_from(given).map_err(|_| invalid("The TTL of the SOA must not be negative."))
}
