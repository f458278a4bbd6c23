//! UntagResource.

use super::tag_resource::change;
use crate::ServiceDiscoveryService;
use crate::shapes::{UntagResourceRequest, UntagResourceResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::discovery::Tags;

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: UntagResourceRequest,
) -> Result<UntagResourceResponse, ServiceError> {
    let edit = |tags: &Tags| {
        let mut tags = tags.clone();
        tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(tags)
    };
    change(service, context, &input.resource_arn, edit).await?;
    Ok(UntagResourceResponse {})
}
