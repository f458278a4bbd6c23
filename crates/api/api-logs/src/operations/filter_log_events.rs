//! FilterLogEvents.

use super::get_log_events::{MOST_BYTES, MOST_EVENTS};
use crate::LogsService;
use crate::errors::{from_events, from_store, invalid, invalid_token};
use crate::events::position::Position;
use crate::events::reader::{Direction, Window};
use crate::events::stream_number;
use crate::pattern::Pattern;
use crate::shapes::{FilterLogEventsRequest, FilterLogEventsResponse, FilteredLogEvent};
use crate::token;
use aws_wire::{RequestContext, ServiceError};
use resources::logs::{LogGroup, LogStream};
use std::sync::Arc;

/// Bytes looked at for one answer; a search that finds little gives what it has and a token to go on.
const MOST_SCANNED: usize = 64 * 1024 * 1024;

/// Finds events of several streams by pattern, in the order of their time.
pub async fn run(
    service: &LogsService,
    context: &RequestContext,
    input: FilterLogEventsRequest,
) -> Result<FilterLogEventsResponse, ServiceError> {
    let (name, identifier) = (input.log_group_name.as_deref(), input.log_group_identifier.as_deref());
    let group = service.require_group_of(context, name, identifier).await?;
    let pattern = Pattern::parse(input.filter_pattern.as_deref().unwrap_or_default())
        .map_err(|error| invalid(format!("Invalid filter pattern: {error}")))?;
    let after = input.next_token.as_deref().map(parse_token).transpose()?;
    let limit = input.limit.map_or(MOST_EVENTS, |limit| (limit.max(1) as usize).min(MOST_EVENTS));
    let expired = group.expired_before(service.tables.environment().now());
    let window = Window {
        start: input.start_time.unwrap_or(0).max(expired.map_or(0, environment::Timestamp::as_millis)),
        // AWS counts the end in here, as its FilterLogEvents page says: events with a later time are not returned.
        end: input.end_time.map_or(i64::MAX, |end| end.saturating_add(1)),
        after,
        before: None,
    };
    let streams = wanted_streams(service, &group, &input, window).await?;
    let mut reader = service.events.read(&streams, window, Direction::Forward).await.map_err(from_events)?;

    let mut events: Vec<FilteredLogEvent> = Vec::new();
    let mut size = 0;
    // The last position looked at, when there may be more behind it.
    let mut reached = None;
    let next = loop {
        if events.len() == limit || reader.scanned() > MOST_SCANNED {
            break reached;
        }
        let Some((stream, event)) = reader.next().await.map_err(from_events)? else { break None };
        let text = event.text();
        if pattern.matches(&text) {
            size += event.size();
            if size > MOST_BYTES && !events.is_empty() {
                break reached;
            }
            let row = &streams[stream];
            events.push(FilteredLogEvent {
                event_id: Some(event.position.event_id(stream_number(row))),
                ingestion_time: Some(event.ingestion),
                log_stream_name: Some(row.name.clone()),
                message: Some(text.into_owned()),
                timestamp: Some(event.position.time),
            });
        }
        reached = Some(event.position);
    };
    let next_token = next.map(|position| token::encode(&position.event_id(0)));
    // AWS has answered an empty list of searched streams since 2019.
    Ok(FilterLogEventsResponse { events: Some(events), next_token, searched_log_streams: Some(vec![]) })
}

fn parse_token(text: &str) -> Result<Position, ServiceError> {
    Position::from_event_id(&token::decode(text)?).ok_or_else(invalid_token)
}

async fn wanted_streams(
    service: &LogsService,
    group: &LogGroup,
    input: &FilterLogEventsRequest,
    window: Window,
) -> Result<Vec<Arc<LogStream>>, ServiceError> {
    if let Some(names) = &input.log_stream_names {
        if input.log_stream_name_prefix.is_some() {
            return Err(invalid("Cannot specify both logStreamNames and logStreamNamePrefix."));
        }
        let mut streams = Vec::with_capacity(names.len());
        for name in names {
            let stream = service.require_stream(group, name).await?.value;
            if !streams.iter().any(|other: &Arc<LogStream>| other.id == stream.id) {
                streams.push(stream);
            }
        }
        return Ok(streams);
    }
    let prefix = input.log_stream_name_prefix.as_deref().unwrap_or_default();
    let prefix = LogStream::key_of(&group.account, &group.id, prefix);
    let rows = service.tables.list_all::<LogStream>(&prefix).await.map_err(from_store)?;
    let mut streams: Vec<Arc<LogStream>> = rows.into_iter().map(|row| row.value).collect();
    // Following a group asks for its newest events again and again; streams that ended long ago cost nothing then.
    streams.retain(|stream| {
        let recent = service.events.recent(stream).map(|recent| recent.last);
        let last = stream.last_event.map(environment::Timestamp::as_millis).max(recent);
        last.is_some_and(|last| last >= window.start)
    });
    Ok(streams)
}
