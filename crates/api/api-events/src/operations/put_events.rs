//! PutEvents. An entry with an event id is durable when the answer goes out.

use crate::EventsService;
use crate::errors::{internal, invalid, outbox, store};
use crate::names::bus_name;
use crate::shapes::{PutEventsRequest, PutEventsRequestEntry, PutEventsResponse, PutEventsResultEntry};
use aws_wire::{RequestContext, ServiceError};
use event_outbox::Event;
use serde_json::Value;

/// Most bytes of the entries of a request.
const MOST_BYTES: usize = 1024 * 1024;
/// Bytes that a time counts for.
const TIME_BYTES: usize = 14;

/// Why an entry fails.
struct Failure(&'static str, String);

pub(crate) async fn run(
    service: &EventsService,
    context: &RequestContext,
    input: PutEventsRequest,
) -> Result<PutEventsResponse, ServiceError> {
    crate::errors::refuse(input.endpoint_id.is_some(), "EndpointId: global endpoints")?;
    if input.entries.iter().map(size).sum::<usize>() > MOST_BYTES {
        return Err(invalid("Total size of the entries in the request is over the limit."));
    }
    let mut results = Vec::new();
    let mut batch = service.tables().batch();
    let mut rows = 0;
    for entry in input.entries {
        match read(service, context, entry).await {
            Ok((bus, event)) => {
                let deliveries = service.outbox.deliveries(&bus, &event).await.map_err(outbox)?;
                rows += deliveries.len();
                for delivery in &deliveries {
                    batch = batch.create(delivery);
                }
                results.push(PutEventsResultEntry {
                    event_id: Some(event.id),
                    ..PutEventsResultEntry::default()
                });
            }
            Err(Failure(code, message)) => results.push(PutEventsResultEntry {
                event_id: None,
                error_code: Some(code.to_owned()),
                error_message: Some(message),
            }),
        }
    }
    if rows > 0 {
        batch
            .commit()
            .await
            .map_err(|error| if error.is_conflict() { internal(&error) } else { store(error) })?;
    }
    let failed = results.iter().filter(|result| result.error_code.is_some()).count();
    Ok(PutEventsResponse { failed_entry_count: i32::try_from(failed).ok(), entries: Some(results) })
}

fn size(entry: &PutEventsRequestEntry) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let resources: usize = entry.resources.iter().flatten().map(String::len).sum();
    let time = if entry.time.is_some() { TIME_BYTES } else { 0 };
    time + text(&entry.source) + text(&entry.detail_type) + text(&entry.detail) + resources
}

/// An entry as an event, and the bus it goes to.
async fn read(
    service: &EventsService,
    context: &RequestContext,
    entry: PutEventsRequestEntry,
) -> Result<(String, Event), Failure> {
    let PutEventsRequestEntry {
        detail,
        detail_type,
        event_bus_name,
        resources,
        source,
        time,
        trace_header: _,
    } = entry;
    let required = |name: &str, value: Option<String>| {
        value.filter(|value| !value.is_empty()).ok_or_else(|| {
            let text = format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
            Failure("InvalidArgument", text)
        })
    };
    let source = required("Source", source)?;
    let detail_type = required("DetailType", detail_type)?;
    let detail = required("Detail", detail)?;
    let Ok(detail @ Value::Object(_)) = serde_json::from_str::<Value>(&detail) else {
        return Err(Failure("MalformedDetail", "Detail is malformed.".to_owned()));
    };
    if source.starts_with("aws.") {
        return Err(Failure("NotAuthorizedForSourceException", "Not authorized for the source.".to_owned()));
    }
    let missing = |error: ServiceError| Failure("ResourceNotFoundException", error.message.into_owned());
    let bus = bus_name(context, event_bus_name.as_deref()).map_err(missing)?;
    service.bus(context, &bus).await.map_err(missing)?;
    let event = Event {
        account: context.account.clone(),
        id: service.tables().environment().uuid(),
        source,
        detail_type,
        time: time.unwrap_or(context.time),
        region: context.region.to_string(),
        resources: resources.unwrap_or_default(),
        detail,
    };
    Ok((bus, event))
}
