//! GetTrailStatus.

use crate::CloudTrailService;
use crate::errors::{from_store, no_trail};
use crate::shapes::{GetTrailStatusRequest, GetTrailStatusResponse};
use crate::trails::{arn, key};
use aws_wire::{RequestContext, ServiceError};
use environment::Timestamp;
use resources::cloudtrail::Trail;

/// Whether a trail logs, and how its delivery goes.
pub(crate) async fn run(
    service: &CloudTrailService,
    context: &RequestContext,
    input: GetTrailStatusRequest,
) -> Result<GetTrailStatusResponse, ServiceError> {
    // This operation speaks of trails by their ARN, also when it does not find one.
    let key = key(context, &input.name)?;
    let arn = arn(context, &input.name);
    let trail = service.tables.get::<Trail>(&key).await.map_err(from_store)?;
    let trail = trail.ok_or_else(|| no_trail(context, &arn))?;
    let delivery = &trail.delivery;
    let text = |time: Option<Timestamp>| time.map_or_else(String::new, Timestamp::to_rfc3339_seconds);
    Ok(GetTrailStatusResponse {
        is_logging: Some(trail.is_logging),
        latest_delivery_error: delivery.error.clone(),
        latest_delivery_time: delivery.delivered_at,
        start_logging_time: trail.started_at,
        stop_logging_time: trail.stopped_at,
        latest_delivery_attempt_time: Some(text(delivery.attempted_at)),
        latest_delivery_attempt_succeeded: Some(text(delivery.delivered_at)),
        latest_notification_attempt_time: Some(String::new()),
        latest_notification_attempt_succeeded: Some(String::new()),
        time_logging_started: Some(text(trail.started_at)),
        time_logging_stopped: Some(text(trail.stopped_at)),
        ..GetTrailStatusResponse::default()
    })
}
