//! TagResource.

use crate::EcrPublicService;
use crate::errors::store;
use crate::repositories::store_tags;
use crate::shapes::{TagResourceRequest, TagResourceResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::Repository;

pub(crate) async fn run(
    service: &EcrPublicService,
    context: &RequestContext,
    input: TagResourceRequest,
) -> Result<TagResourceResponse, ServiceError> {
    let old = service.repository_of_arn(context, &input.resource_arn).await?;
    let tags = store_tags(input.tags, old.tags.clone())?;
    service.tables.replace(&old, Repository { tags, ..(*old.value).clone() }).await.map_err(store)?;
    Ok(TagResourceResponse::default())
}
