//! One file per operation of the CloudTrail API.

pub(crate) mod create_trail;
pub(crate) mod delete_trail;
pub(crate) mod describe_trails;
pub(crate) mod get_event_selectors;
pub(crate) mod get_insight_selectors;
pub(crate) mod get_trail;
pub(crate) mod get_trail_status;
pub(crate) mod list_trails;
pub(crate) mod lookup_events;
pub(crate) mod put_event_selectors;
pub(crate) mod start_logging;
pub(crate) mod stop_logging;
pub(crate) mod tags;
pub(crate) mod update_trail;

#[cfg(test)]
mod tests;
