//! GetInsightSelectors: no trail has any, as Insights are not built. Tools that read trails ask for them.

use crate::CloudTrailService;
use crate::errors::{not_built, refused};
use crate::shapes::errors::{INSIGHT_NOT_ENABLED_EXCEPTION, TRAIL_NOT_PROVIDED_EXCEPTION};
use crate::shapes::{GetInsightSelectorsRequest, GetInsightSelectorsResponse};
use aws_wire::{RequestContext, ServiceError};

/// Says that Insights are not enabled.
pub(crate) async fn run(
    service: &CloudTrailService,
    context: &RequestContext,
    input: GetInsightSelectorsRequest,
) -> Result<GetInsightSelectorsResponse, ServiceError> {
    if input.event_data_store.is_some() {
        return Err(not_built("An event data store"));
    }
    let Some(name) = input.trail_name else {
        return Err(refused(&TRAIL_NOT_PROVIDED_EXCEPTION, "The name of a trail is missing."));
    };
    let trail = service.require_trail(context, &name).await?;
    let text = format!("Trail {} does not have Insights enabled.", trail.arn());
    Err(refused(&INSIGHT_NOT_ENABLED_EXCEPTION, text))
}
