//! StartLogging.

use crate::CloudTrailService;
use crate::shapes::{StartLoggingRequest, StartLoggingResponse};
use aws_wire::{RequestContext, ServiceError};

/// Delivers what is recorded from now on. Nothing changes for a trail that logs already.
pub(crate) async fn run(
    service: &CloudTrailService,
    context: &RequestContext,
    input: StartLoggingRequest,
) -> Result<StartLoggingResponse, ServiceError> {
    let next = service.delivery.now().await;
    let start = service.change_trail(context, &input.name, |trail| {
        if !trail.is_logging {
            trail.is_logging = true;
            trail.started_at = Some(context.time);
            (trail.delivery.next, trail.delivery.file) = (next, None);
        }
    });
    start.await?;
    Ok(StartLoggingResponse {})
}
