//! TagResource.

use crate::definition::store_tags;
use crate::errors::invalid;
use crate::shapes::{TagResourceRequest, TagResourceResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::Tag;
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: TagResourceRequest,
) -> Result<TagResourceResponse, ServiceError> {
    let added = store_tags(Some(input.tags))?;
    let change = |old: &[Tag]| {
        let mut new: Vec<Tag> =
            old.iter().filter(|tag| !added.iter().any(|a| a.key == tag.key)).cloned().collect();
        new.extend(added.iter().cloned());
        if new.len() > 50 {
            return Err(invalid("A resource has at most 50 tags."));
        }
        Ok(Some(new))
    };
    super::tags::change(tables, context, &input.resource_arn, change).await?;
    Ok(TagResourceResponse::default())
}
