//! RemoveTagsFromResource.

use crate::SsmService;
use crate::shapes::{RemoveTagsFromResourceRequest, RemoveTagsFromResourceResult};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: RemoveTagsFromResourceRequest,
) -> Result<RemoveTagsFromResourceResult, ServiceError> {
    let removed = |mut old: Vec<(String, String)>| {
        old.retain(|(key, _)| !input.tag_keys.contains(key));
        Ok(old)
    };
    service.retag(context, input.resource_type, &input.resource_id, removed).await?;
    Ok(RemoveTagsFromResourceResult::default())
}
