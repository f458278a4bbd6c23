//! PutLogEvents.

use crate::LogsService;
use crate::errors::{from_events, invalid};
use crate::events::batch::EVENT_OVERHEAD;
use crate::events::position::Position;
use crate::events::stream_number;
use crate::shapes::{
    EntityRejectionErrorType, InputLogEvent, PutLogEventsRequest, PutLogEventsResponse, RejectedEntityInfo,
    RejectedLogEventsInfo,
};
use aws_wire::{RequestContext, ServiceError};
use environment::Timestamp;
use resources::logs::{LogGroup, LogStream};
use std::ops::Range;

const MOST_EVENTS: usize = 10_000;
const MOST_BYTES: usize = 1_048_576;
const HOUR_MS: i64 = 3_600_000;
const MOST_SPAN_MS: i64 = 24 * HOUR_MS;
const OLDEST_MS: i64 = 14 * 24 * HOUR_MS;
const NEWEST_MS: i64 = 2 * HOUR_MS;

/// Adds events to a stream. Those that are too old or too new are left out and named in the answer.
pub async fn run(
    service: &LogsService,
    context: &RequestContext,
    input: PutLogEventsRequest,
) -> Result<PutLogEventsResponse, ServiceError> {
    let group = service.require_group(context, &input.log_group_name).await?;
    let stream = service.require_stream(&group, &input.log_stream_name).await?;
    check(&input.log_events)?;
    let now = service.tables.environment().now();
    let (accepted, rejected) = sift(&input.log_events, &group, now);
    let events = &input.log_events[accepted];
    check_span(events)?;
    if !events.is_empty() {
        let events = events.iter().map(|event| (event.timestamp, event.message.as_str()));
        service.events.append(&stream, now, events.clone()).await.map_err(from_events)?;
        service.filters.apply(&group, events).await;
    }
    Ok(PutLogEventsResponse {
        // Tokens have not been needed since 2023; old clients still want to see one.
        next_sequence_token: Some(sequence_token(&stream)),
        rejected_log_events_info: rejected,
        // The events are taken; that nothing is done with their entity is said as AWS says it.
        rejected_entity_info: input
            .entity
            .is_some()
            .then_some(RejectedEntityInfo { error_type: EntityRejectionErrorType::UnsupportedLogGroupType }),
    })
}

/// The token that an old client sends with its next events. It is never looked at.
pub fn sequence_token(stream: &LogStream) -> String {
    Position { time: stream.created_at.as_millis(), ..Position::default() }.event_id(stream_number(stream))
}

fn check(events: &[InputLogEvent]) -> Result<(), ServiceError> {
    if events.is_empty() || events.len() > MOST_EVENTS {
        return Err(invalid(format!(
            "1 validation error detected: Value at 'logEvents' failed to satisfy constraint: Member must have \
             length greater than or equal to 1 and less than or equal to {MOST_EVENTS}"
        )));
    }
    let size: usize = events.iter().map(|event| event.message.len() + EVENT_OVERHEAD).sum();
    if size > MOST_BYTES {
        return Err(invalid(format!("Upload too large: {size} bytes exceeds limit of {MOST_BYTES}")));
    }
    if events.iter().any(|event| event.message.is_empty() || event.timestamp < 0) {
        return Err(invalid("Log events need a message and a timestamp that is not negative."));
    }
    if !events.is_sorted_by_key(|event| event.timestamp) {
        return Err(invalid("Log events in a single PutLogEvents request must be in chronological order."));
    }
    Ok(())
}

/// Events that are left out because of their time do not count: a clock that is a day ahead loses its own events only.
fn check_span(accepted: &[InputLogEvent]) -> Result<(), ServiceError> {
    match accepted {
        [first, .., last] if last.timestamp - first.timestamp > MOST_SPAN_MS => Err(invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        )),
        _ => Ok(()),
    }
}

/// Which events are taken, and what to say of the others. The events are in order.
fn sift(
    events: &[InputLogEvent],
    group: &LogGroup,
    now: Timestamp,
) -> (Range<usize>, Option<RejectedLogEventsInfo>) {
    let before = |time: i64| events.partition_point(|event| event.timestamp < time);
    let too_old = before(now.as_millis() - OLDEST_MS);
    let expired = group.expired_before(now).map_or(0, |time| before(time.as_millis()));
    let too_new = before(now.as_millis() + NEWEST_MS + 1);
    let index = |index: usize, rejected: bool| rejected.then_some(index as i32);
    let info = RejectedLogEventsInfo {
        too_old_log_event_end_index: index(too_old, too_old > 0),
        expired_log_event_end_index: index(expired, expired > 0),
        too_new_log_event_start_index: index(too_new, too_new < events.len()),
    };
    let start = too_old.max(expired);
    (start..too_new.max(start), (info != RejectedLogEventsInfo::default()).then_some(info))
}
