//! GetTrail.

use crate::CloudTrailService;
use crate::shapes::{GetTrailRequest, GetTrailResponse};
use crate::trails::shown;
use aws_wire::{RequestContext, ServiceError};

/// One trail.
pub(crate) async fn run(
    service: &CloudTrailService,
    context: &RequestContext,
    input: GetTrailRequest,
) -> Result<GetTrailResponse, ServiceError> {
    let trail = service.require_trail(context, &input.name).await?;
    Ok(GetTrailResponse { trail: Some(shown(&trail)) })
}
