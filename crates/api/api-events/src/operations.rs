//! The operations, those of one kind of resource in one module.

pub(crate) mod api_destinations;
pub(crate) mod buses;
pub(crate) mod connections;
pub(crate) mod put_events;
pub(crate) mod rule_targets;
pub(crate) mod rules;
pub(crate) mod tags;
pub(crate) mod test_event_pattern;
