//! ListTagsForResource.

use crate::render;
use crate::shapes::{ListTagsForResourceRequest, ListTagsForResourceResponse};
use aws_wire::{RequestContext, ServiceError};
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, ServiceError> {
    let tags = super::tags::change(tables, context, &input.resource_arn, |_| Ok(None)).await?;
    Ok(ListTagsForResourceResponse { tags: Some(render::tags(&tags)) })
}
