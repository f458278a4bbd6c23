//! PutEventSelectors.

use crate::CloudTrailService;
use crate::errors::refused;
use crate::selectors::{answered, from_advanced, from_basic};
use crate::shapes::errors::INVALID_EVENT_SELECTORS_EXCEPTION;
use crate::shapes::{PutEventSelectorsRequest, PutEventSelectorsResponse};
use aws_wire::{RequestContext, ServiceError};

/// Says which events a trail delivers from now on. What was recorded before is delivered as it was selected then.
pub(crate) async fn run(
    service: &CloudTrailService,
    context: &RequestContext,
    input: PutEventSelectorsRequest,
) -> Result<PutEventSelectorsResponse, ServiceError> {
    let selectors = match (input.event_selectors, input.advanced_event_selectors) {
        (Some(basic), None) => from_basic(basic)?,
        (None, Some(advanced)) => from_advanced(advanced)?,
        _ => {
            let text = "Give either event selectors or advanced event selectors.";
            return Err(refused(&INVALID_EVENT_SELECTORS_EXCEPTION, text));
        }
    };
    let trail = service.require_trail(context, &input.trail_name).await?;
    service.delivery.deliver_before_change(&trail).await;
    let selectors = Some(selectors);
    let change = service.change_trail(context, &input.trail_name, |trail| {
        trail.selectors.clone_from(&selectors);
    });
    let trail = change.await?;
    let (event_selectors, advanced_event_selectors) = answered(trail.selectors.as_ref());
    let trail_arn = Some(trail.arn());
    Ok(PutEventSelectorsResponse { event_selectors, advanced_event_selectors, trail_arn })
}
