//! ListTagsForResource.

use super::tag_resource::{Tagged, require};
use crate::ServiceDiscoveryService;
use crate::shapes::{ListTagsForResourceRequest, ListTagsForResourceResponse};
use crate::tags::shown;
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, ServiceError> {
    let tags = match require(service, context, &input.resource_arn).await? {
        Tagged::Namespace(found) => shown(&found.tags),
        Tagged::Service(found) => shown(&found.tags),
    };
    Ok(ListTagsForResourceResponse { tags: Some(tags) })
}
