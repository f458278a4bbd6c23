//! TestEventPattern.

use crate::EventsService;
use crate::errors::{invalid, pattern};
use crate::shapes::{TestEventPatternRequest, TestEventPatternResponse};
use aws_wire::{RequestContext, ServiceError};
use event_patterns::EventPattern;
use serde_json::Value;

/// Members that every event has.
const MEMBERS: [&str; 7] = ["id", "account", "source", "time", "region", "resources", "detail-type"];

pub(crate) async fn run(
    _: &EventsService,
    _: &RequestContext,
    input: TestEventPatternRequest,
) -> Result<TestEventPatternResponse, ServiceError> {
    let parsed = EventPattern::parse(&input.event_pattern).map_err(pattern)?;
    let Ok(event) = serde_json::from_str::<Value>(&input.event) else {
        return Err(invalid("Parameter Event is not valid. Reason: Event is not valid JSON."));
    };
    if let Some(missing) = MEMBERS.into_iter().find(|name| event.get(name).is_none()) {
        return Err(invalid(format!(
            "Parameter Event is not valid. Reason: Event must contain the field {missing}."
        )));
    }
    Ok(TestEventPatternResponse { result: Some(parsed.matches(&event)) })
}
