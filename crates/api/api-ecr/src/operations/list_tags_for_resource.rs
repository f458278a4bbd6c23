//! ListTagsForResource.

use crate::EcrService;
use crate::shapes::{ListTagsForResourceRequest, ListTagsForResourceResponse, Tag};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, ServiceError> {
    let repository = service.repository_of_arn(context, &input.resource_arn).await?;
    let tags = repository.tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() });
    Ok(ListTagsForResourceResponse { tags: Some(tags.collect()) })
}
