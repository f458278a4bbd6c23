//! GetLogGroupFields.

use crate::LogsService;
use crate::errors::{from_events, from_store};
use crate::events::reader::{Direction, Window};
use crate::shapes::{GetLogGroupFieldsRequest, GetLogGroupFieldsResponse, LogGroupField};
use aws_wire::{RequestContext, ServiceError};
use environment::Timestamp;
use logs_insights::Event;
use std::collections::BTreeMap;

const MINUTE_MS: i64 = 60_000;
/// Events that are looked at, the newest first.
const MOST_EVENTS: u64 = 1000;

/// Which fields the events around a time have, and how many percent of them have each.
pub async fn run(
    service: &LogsService,
    context: &RequestContext,
    input: GetLogGroupFieldsRequest,
) -> Result<GetLogGroupFieldsResponse, ServiceError> {
    let (name, identifier) = (input.log_group_name.as_deref(), input.log_group_identifier.as_deref());
    let group = service.require_group_of(context, name, identifier).await?;
    let now = service.tables.environment().now();
    let (start, end) = match input.time {
        // Requests tell seconds, as StartQuery takes them.
        Some(time) => {
            let time = time.saturating_mul(1000);
            (time.saturating_sub(8 * MINUTE_MS), time.saturating_add(8 * MINUTE_MS))
        }
        None => (now.as_millis() - 15 * MINUTE_MS, now.as_millis()),
    };
    let expired = group.expired_before(now).map_or(i64::MIN, Timestamp::as_millis);
    let window = Window { start: start.max(expired), end: end.saturating_add(1), after: None, before: None };
    let streams = service.queries.streams_since(&group, window.start).await.map_err(from_store)?;
    let mut reader = service.events.read(&streams, window, Direction::Backward).await.map_err(from_events)?;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut events = 0;
    while events < MOST_EVENTS
        && let Some((_, event)) = reader.next().await.map_err(from_events)?
    {
        events += 1;
        let event = Event {
            timestamp: event.position.time,
            ingestion: event.ingestion,
            message: event.text().into_owned(),
            log_stream: "".into(),
            log: "".into(),
            pointer: String::new(),
        };
        for name in event.field_names() {
            *counts.entry(name).or_default() += 1;
        }
    }
    let mut fields: Vec<(String, u64)> = counts.into_iter().collect();
    fields.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let percent = |count: u64| i32::try_from((100 * count).div_ceil(events.max(1))).ok();
    let render = |(name, count): (String, u64)| LogGroupField { name: Some(name), percent: percent(count) };
    Ok(GetLogGroupFieldsResponse { log_group_fields: Some(fields.into_iter().map(render).collect()) })
}
