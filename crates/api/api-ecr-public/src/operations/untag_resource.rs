//! UntagResource.

use crate::EcrPublicService;
use crate::errors::store;
use crate::shapes::{UntagResourceRequest, UntagResourceResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::Repository;

pub(crate) async fn run(
    service: &EcrPublicService,
    context: &RequestContext,
    input: UntagResourceRequest,
) -> Result<UntagResourceResponse, ServiceError> {
    let old = service.repository_of_arn(context, &input.resource_arn).await?;
    let tags = old.tags.iter().filter(|(key, _)| !input.tag_keys.contains(key)).cloned().collect();
    service.tables.replace(&old, Repository { tags, ..(*old.value).clone() }).await.map_err(store)?;
    Ok(UntagResourceResponse::default())
}
