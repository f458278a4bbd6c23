//! UntagResource.

use crate::shapes::{UntagResourceRequest, UntagResourceResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::Tag;
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: UntagResourceRequest,
) -> Result<UntagResourceResponse, ServiceError> {
    let change = |old: &[Tag]| {
        Ok(Some(old.iter().filter(|tag| !input.tag_keys.contains(&tag.key)).cloned().collect()))
    };
    super::tags::change(tables, context, &input.resource_arn, change).await?;
    Ok(UntagResourceResponse::default())
}
