//! DiscoverInstancesRevision.

use super::discover_instances::{require_named, revision};
use crate::ServiceDiscoveryService;
use crate::shapes::{DiscoverInstancesRevisionRequest, DiscoverInstancesRevisionResponse};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: DiscoverInstancesRevisionRequest,
) -> Result<DiscoverInstancesRevisionResponse, ServiceError> {
    let owner = input.owner_account.as_deref();
    let (_, found) =
        require_named(service, context, owner, &input.namespace_name, &input.service_name).await?;
    Ok(DiscoverInstancesRevisionResponse { instances_revision: Some(revision(service, &found).await?) })
}
