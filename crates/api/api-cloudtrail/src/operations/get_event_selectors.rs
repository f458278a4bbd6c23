//! GetEventSelectors.

use crate::CloudTrailService;
use crate::selectors::answered;
use crate::shapes::{GetEventSelectorsRequest, GetEventSelectorsResponse};
use aws_wire::{RequestContext, ServiceError};

/// Which events a trail delivers.
pub(crate) async fn run(
    service: &CloudTrailService,
    context: &RequestContext,
    input: GetEventSelectorsRequest,
) -> Result<GetEventSelectorsResponse, ServiceError> {
    let trail = service.require_trail(context, &input.trail_name).await?;
    let (event_selectors, advanced_event_selectors) = answered(trail.selectors.as_ref());
    let trail_arn = Some(trail.arn());
    Ok(GetEventSelectorsResponse { event_selectors, advanced_event_selectors, trail_arn })
}
