//! ListTagsForResource.

use crate::EcrPublicService;
use crate::shapes::{ListTagsForResourceRequest, ListTagsForResourceResponse, Tag};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &EcrPublicService,
    context: &RequestContext,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, ServiceError> {
    let repository = service.repository_of_arn(context, &input.resource_arn).await?;
    let tags = repository.tags.iter();
    let tags = tags.map(|(key, value)| Tag { key: Some(key.clone()), value: Some(value.clone()) });
    Ok(ListTagsForResourceResponse { tags: Some(tags.collect()) })
}
