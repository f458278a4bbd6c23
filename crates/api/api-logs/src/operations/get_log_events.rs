//! GetLogEvents.

use crate::LogsService;
use crate::errors::from_events;
use crate::events::position::Position;
use crate::events::reader::{Direction, Window};
use crate::events::stream_number;
use crate::shapes::{GetLogEventsRequest, GetLogEventsResponse, OutputLogEvent};
use crate::token::Step;
use aws_wire::{RequestContext, ServiceError};
use std::slice::from_ref;

/// Events of an answer, at most.
pub const MOST_EVENTS: usize = 10_000;
/// Bytes of an answer's events, at most, each counted as PutLogEvents counts it.
pub const MOST_BYTES: usize = 1_048_576;

/// Reads one stream forwards or backwards. Both tokens are always there; at an end it is the one that was sent.
pub async fn run(
    service: &LogsService,
    context: &RequestContext,
    input: GetLogEventsRequest,
) -> Result<GetLogEventsResponse, ServiceError> {
    let (name, identifier) = (input.log_group_name.as_deref(), input.log_group_identifier.as_deref());
    let group = service.require_group_of(context, name, identifier).await?;
    let step = input.next_token.as_deref().map(Step::parse).transpose()?;
    let stream = service.require_stream(&group, &input.log_stream_name).await?;
    let limit = input.limit.map_or(MOST_EVENTS, |limit| (limit.max(1) as usize).min(MOST_EVENTS));

    let forward = match step {
        Some(Step::After(_)) => true,
        Some(Step::Before(_)) => false,
        None => input.start_from_head == Some(true),
    };
    let direction = if forward { Direction::Forward } else { Direction::Backward };
    let expired = group.expired_before(service.tables.environment().now());
    let window = Window {
        start: input.start_time.unwrap_or(0).max(expired.map_or(0, environment::Timestamp::as_millis)),
        end: input.end_time.unwrap_or(i64::MAX),
        after: step.and_then(|step| if let Step::After(position) = step { Some(position) } else { None }),
        before: step.and_then(|step| if let Step::Before(position) = step { Some(position) } else { None }),
    };
    let mut reader =
        service.events.read(from_ref(&stream.value), window, direction).await.map_err(from_events)?;
    let mut events = Vec::new();
    let mut size = 0;
    while events.len() < limit {
        let Some((_, event)) = reader.next().await.map_err(from_events)? else { break };
        size += event.size();
        if size > MOST_BYTES && !events.is_empty() {
            break;
        }
        events.push(event);
    }
    if direction == Direction::Backward {
        events.reverse();
    }
    // Without events the position stays; without a position everything still lies ahead, and nothing behind.
    let stays = match step {
        Some(Step::After(position) | Step::Before(position)) => position,
        None => Position::default(),
    };
    let number = stream_number(&stream);
    let first = events.first().map_or(stays, |event| event.position);
    let last = events.last().map_or(stays, |event| event.position);
    let events = events.iter().map(|event| OutputLogEvent {
        ingestion_time: Some(event.ingestion),
        message: Some(event.text().into_owned()),
        timestamp: Some(event.position.time),
    });
    Ok(GetLogEventsResponse {
        events: Some(events.collect()),
        next_backward_token: Some(Step::Before(first).token(number)),
        next_forward_token: Some(Step::After(last).token(number)),
    })
}
