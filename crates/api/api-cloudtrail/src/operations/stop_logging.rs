//! StopLogging.

use crate::CloudTrailService;
use crate::shapes::{StopLoggingRequest, StopLoggingResponse};
use aws_wire::{RequestContext, ServiceError};

/// Delivers what is recorded, and no more after it.
pub(crate) async fn run(
    service: &CloudTrailService,
    context: &RequestContext,
    input: StopLoggingRequest,
) -> Result<StopLoggingResponse, ServiceError> {
    let trail = service.require_trail(context, &input.name).await?;
    service.delivery.deliver_before_change(&trail).await;
    let stop = service.change_trail(context, &input.name, |trail| {
        if trail.is_logging {
            trail.is_logging = false;
            trail.stopped_at = Some(context.time);
        }
    });
    stop.await?;
    Ok(StopLoggingResponse {})
}
