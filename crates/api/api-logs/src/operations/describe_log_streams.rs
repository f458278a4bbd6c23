//! DescribeLogStreams.

use crate::LogsService;
use crate::errors::{from_store, invalid, invalid_token};
use crate::lookup::group_arn;
use crate::shapes::{self, DescribeLogStreamsRequest, DescribeLogStreamsResponse, OrderBy};
use crate::token;
use aws_wire::{RequestContext, ServiceError};
use environment::Timestamp;
use resources::logs::{LogGroup, LogStream};
use std::sync::Arc;
use store::Page;

/// Streams of an answer when the request does not say.
const USUAL_LIMIT: usize = 50;

/// A stream with the times that its row may not tell yet.
struct Seen {
    row: Arc<LogStream>,
    first: Option<i64>,
    last: Option<i64>,
    ingestion: Option<i64>,
}

impl Seen {
    /// Its place in the order by last event; streams without events come before all others.
    fn last_key(&self) -> (i64, &str) {
        (self.last.unwrap_or(-1), &self.row.name)
    }
}

/// Lists streams of a group by name or by their last event, page by page.
pub async fn run(
    service: &LogsService,
    context: &RequestContext,
    input: DescribeLogStreamsRequest,
) -> Result<DescribeLogStreamsResponse, ServiceError> {
    let (name, identifier) = (input.log_group_name.as_deref(), input.log_group_identifier.as_deref());
    let group = service.require_group_of(context, name, identifier).await?;
    let limit = input.limit.map_or(USUAL_LIMIT, |limit| limit.clamp(1, 50) as usize);
    let by_time = input.order_by == Some(OrderBy::LastEventTime);
    if by_time && input.log_stream_name_prefix.is_some() {
        return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let descending = input.descending == Some(true);
    let token = input.next_token.as_deref().map(token::decode).transpose()?;
    let prefix = input.log_stream_name_prefix.unwrap_or_default();
    let (streams, next) = if by_time || descending {
        sorted(service, &group, &prefix, by_time, descending, token, limit).await?
    } else {
        by_name(service, &group, &prefix, token, limit).await?
    };
    let streams = streams.iter().map(|seen| render(context, &group, seen)).collect();
    Ok(DescribeLogStreamsResponse {
        log_streams: Some(streams),
        next_token: next.map(|next| token::encode(&next)),
    })
}

/// The order of the rows: no more is read than is answered.
async fn by_name(
    service: &LogsService,
    group: &LogGroup,
    prefix: &str,
    token: Option<String>,
    limit: usize,
) -> Result<(Vec<Seen>, Option<String>), ServiceError> {
    let key = |name: &str| LogStream::key_of(&group.account, &group.id, name);
    let page = Page { after: token.map(|name| key(&name)), limit };
    let listing = service.tables.list::<LogStream>(&key(prefix), page).await.map_err(from_store)?;
    let next = listing.items.last().filter(|_| listing.next.is_some()).map(|last| last.name.clone());
    Ok((listing.items.into_iter().map(|row| seen(service, row.value)).collect(), next))
}

/// Any other order: all rows of the group are looked at.
async fn sorted(
    service: &LogsService,
    group: &LogGroup,
    prefix: &str,
    by_time: bool,
    descending: bool,
    token: Option<String>,
    limit: usize,
) -> Result<(Vec<Seen>, Option<String>), ServiceError> {
    let prefix = LogStream::key_of(&group.account, &group.id, prefix);
    let rows = service.tables.list_all::<LogStream>(&prefix).await.map_err(from_store)?;
    let mut streams: Vec<Seen> = rows.into_iter().map(|row| seen(service, row.value)).collect();
    if by_time {
        streams.sort_by(|a, b| a.last_key().cmp(&b.last_key()));
    }
    let after = token.as_deref().map(|token| parse_key(token, by_time)).transpose()?;
    if descending {
        streams.reverse();
    }
    if let Some((last, name)) = after {
        streams.retain(|seen| {
            let key = if by_time { seen.last_key() } else { (0, seen.row.name.as_str()) };
            if descending { key < (last, name) } else { key > (last, name) }
        });
    }
    let more = streams.len() > limit;
    streams.truncate(limit);
    let next = streams.last().filter(|_| more).map(|seen| {
        if by_time { format!("{}|{}", seen.last_key().0, seen.row.name) } else { seen.row.name.clone() }
    });
    Ok((streams, next))
}

fn parse_key(token: &str, by_time: bool) -> Result<(i64, &str), ServiceError> {
    if !by_time {
        return Ok((0, token));
    }
    let (last, name) = token.split_once('|').ok_or_else(invalid_token)?;
    Ok((last.parse().map_err(|_| invalid_token())?, name))
}

fn seen(service: &LogsService, row: Arc<LogStream>) -> Seen {
    let recent = service.events.recent(&row);
    let known = |time: Option<Timestamp>| time.map(Timestamp::as_millis);
    let first = known(row.first_event).into_iter().chain(recent.map(|recent| recent.first)).min();
    let last = known(row.last_event).max(recent.map(|recent| recent.last));
    let ingestion = known(row.last_ingestion).max(recent.map(|recent| recent.ingestion));
    Seen { row, first, last, ingestion }
}

fn render(context: &RequestContext, group: &LogGroup, seen: &Seen) -> shapes::LogStream {
    let arn = format!("{}:log-stream:{}", group_arn(context, &group.name), seen.row.name);
    shapes::LogStream {
        arn: Some(arn),
        creation_time: Some(seen.row.created_at.as_millis()),
        first_event_timestamp: seen.first,
        last_event_timestamp: seen.last,
        last_ingestion_time: seen.ingestion,
        log_stream_name: Some(seen.row.name.clone()),
        // AWS stopped counting bytes per stream in 2019 and answers zero.
        stored_bytes: Some(0),
        upload_sequence_token: Some(super::put_log_events::sequence_token(&seen.row)),
    }
}
