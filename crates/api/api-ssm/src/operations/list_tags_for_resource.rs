//! ListTagsForResource.

use crate::SsmService;
use crate::shapes::{ListTagsForResourceRequest, ListTagsForResourceResult, Tag};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResult, ServiceError> {
    let tagged = service.tagged(context, input.resource_type, &input.resource_id).await?;
    let shown = |(key, value): &(String, String)| Tag { key: key.clone(), value: value.clone() };
    Ok(ListTagsForResourceResult { tag_list: Some(tagged.tags().iter().map(shown).collect()) })
}
