//! PutImageTagMutability.

use crate::shapes::{PutImageTagMutabilityRequest, PutImageTagMutabilityResponse};
use crate::{EcrService, tag_mutability};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    input: PutImageTagMutabilityRequest,
) -> Result<PutImageTagMutabilityResponse, ServiceError> {
    let found = service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let (tag_mutability, tag_exclusions) =
        tag_mutability::read(input.image_tag_mutability, input.image_tag_mutability_exclusion_filters)?;
    let changed = service
        .change(&found, |repository| {
            repository.tag_mutability = tag_mutability;
            repository.tag_exclusions.clone_from(&tag_exclusions);
        })
        .await?;
    Ok(PutImageTagMutabilityResponse {
        registry_id: Some(changed.account.to_string()),
        repository_name: Some(changed.name.clone()),
        image_tag_mutability: Some(tag_mutability::show(changed.tag_mutability)),
        image_tag_mutability_exclusion_filters: tag_mutability::show_filters(&changed.tag_exclusions),
    })
}
