//! AddTagsToResource.

use crate::shapes::{AddTagsToResourceRequest, AddTagsToResourceResult};
use crate::{SsmService, tags};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: AddTagsToResourceRequest,
) -> Result<AddTagsToResourceResult, ServiceError> {
    let added = |old| tags::merged(input.tags, old);
    service.retag(context, input.resource_type, &input.resource_id, added).await?;
    Ok(AddTagsToResourceResult::default())
}
