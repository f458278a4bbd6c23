//! GetLogRecord.

use crate::LogsService;
use crate::errors::{from_events, from_store, invalid};
use crate::events::reader::{Direction, Window};
use crate::queries::pointed;
use crate::shapes::errors::RESOURCE_NOT_FOUND_EXCEPTION;
use crate::shapes::{GetLogRecordRequest, GetLogRecordResponse};
use aws_wire::{RequestContext, ServiceError};
use logs_insights::Event;
use resources::logs::{LogGroup, LogStream};

/// The fields of the event that a pointer of a query's result points to.
pub async fn run(
    service: &LogsService,
    context: &RequestContext,
    input: GetLogRecordRequest,
) -> Result<GetLogRecordResponse, ServiceError> {
    let (key, position) =
        pointed(&input.log_record_pointer).ok_or_else(|| invalid("The log record pointer is invalid."))?;
    let stream = service.tables.get::<LogStream>(&key).await.map_err(from_store)?;
    let Some(stream) = stream.filter(|stream| stream.account == context.account.as_str()) else {
        return Err(no_record());
    };
    let group = LogGroup::key_of(&stream.account, &stream.group_name);
    let group = service.tables.get::<LogGroup>(&group).await.map_err(from_store)?.ok_or_else(no_record)?;
    if group.expired_before(service.tables.environment().now()).is_some_and(|t| position.time < t.as_millis())
    {
        return Err(no_record());
    }
    let window = Window { start: position.time, end: position.time + 1, after: None, before: None };
    let streams = [stream.value.clone()];
    let mut reader = service.events.read(&streams, window, Direction::Forward).await.map_err(from_events)?;
    while let Some((_, event)) = reader.next().await.map_err(from_events)? {
        if event.position == position {
            let event = Event {
                timestamp: position.time,
                ingestion: event.ingestion,
                message: event.text().into_owned(),
                log_stream: stream.name.as_str().into(),
                log: format!("{}:{}", stream.account, stream.group_name).into(),
                pointer: input.log_record_pointer,
            };
            let fields = event.fields().into_iter().collect();
            return Ok(GetLogRecordResponse { log_record: Some(fields) });
        }
    }
    Err(no_record())
}

fn no_record() -> ServiceError {
    ServiceError::new(&RESOURCE_NOT_FOUND_EXCEPTION, "The specified log record does not exist.")
}
