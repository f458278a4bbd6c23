//! LookupEvents: the management events of the account, newest first.

use crate::CloudTrailService;
use crate::errors::{from_log, not_built, refused};
use crate::record;
use crate::shapes::errors::{INVALID_LOOKUP_ATTRIBUTES_EXCEPTION, INVALID_TIME_RANGE_EXCEPTION};
use crate::shapes::{
    Event, LookupAttribute, LookupAttributeKey, LookupEventsRequest, LookupEventsResponse, Resource,
};
use crate::token;
use audit_log::{Attribute, Matching, Query, StoredEvent};
use aws_wire::{RequestContext, ServiceError};
use environment::Timestamp;

/// Events of a page when the caller names no number.
const PAGE: usize = 50;

/// Looks events up by at most one attribute and a time range.
pub(crate) async fn run(
    service: &CloudTrailService,
    context: &RequestContext,
    input: LookupEventsRequest,
) -> Result<LookupEventsResponse, ServiceError> {
    if input.event_category.is_some() {
        return Err(not_built("CloudTrail Insights"));
    }
    let from = input.start_time.unwrap_or_default();
    let until = input.end_time.unwrap_or(Timestamp::from_millis(i64::MAX));
    if from > until {
        let text = "The start time of the range is after its end time.";
        return Err(refused(&INVALID_TIME_RANGE_EXCEPTION, text));
    }
    let token = input.next_token.as_deref();
    let query = Query {
        account: context.account.to_string(),
        matching: matching(input.lookup_attributes.as_deref().unwrap_or_default())?,
        from,
        until,
        before: token.map(|token| token::decode(context, &input, token)).transpose()?,
        // The model allows 1 to 50.
        limit: input.max_results.map_or(PAGE, |most| most.clamp(1, 50) as usize),
    };
    let found = service.log.search(&query).await.map_err(from_log)?;
    Ok(LookupEventsResponse {
        events: Some(found.events.iter().map(shown).collect()),
        next_token: found.next.map(|before| token::encode(context, &input, before)),
    })
}

fn matching(attributes: &[LookupAttribute]) -> Result<Option<Matching>, ServiceError> {
    let invalid = |text: &'static str| Err(refused(&INVALID_LOOKUP_ATTRIBUTES_EXCEPTION, text));
    let attribute = match attributes {
        [] => return Ok(None),
        [attribute] => attribute,
        _ => return invalid("Only one lookup attribute can be given."),
    };
    let value = attribute.attribute_value.clone();
    let kind = match attribute.attribute_key {
        LookupAttributeKey::EventId => return Ok(Some(Matching::Id(value))),
        LookupAttributeKey::ReadOnly => {
            return match value.as_str() {
                "true" => Ok(Some(Matching::ReadOnly(true))),
                "false" => Ok(Some(Matching::ReadOnly(false))),
                _ => invalid("The value of ReadOnly is true or false."),
            };
        }
        LookupAttributeKey::EventName => Attribute::EventName,
        LookupAttributeKey::Username => Attribute::Username,
        LookupAttributeKey::ResourceType => Attribute::ResourceType,
        LookupAttributeKey::ResourceName => Attribute::ResourceName,
        LookupAttributeKey::EventSource => Attribute::EventSource,
        LookupAttributeKey::AccessKeyId => Attribute::AccessKeyId,
    };
    Ok(Some(Matching::Text(kind, value)))
}

fn shown(event: &StoredEvent) -> Event {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let identity = event.identity.get();
    let resource = |(kind, name): &(String, String)| Resource {
        resource_type: Some(kind.clone()),
        resource_name: Some(name.clone()),
    };
    Event {
        event_id: Some(event.id.clone()),
        event_name: Some(event.name.clone()),
        read_only: Some(event.read_only.to_string()),
        access_key_id: some(identity.access_key_id),
        event_time: Some(event.time),
        event_source: Some(event.source.clone()),
        username: some(identity.username()),
        resources: Some(event.resources.iter().map(resource).collect()),
        cloud_trail_event: Some(record::write(event)),
    }
}
