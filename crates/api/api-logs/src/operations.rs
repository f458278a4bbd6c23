//! One file per operation; those that are halves of one thing share a file.

pub mod create_log_group;
pub mod create_log_stream;
pub mod delete_log_group;
pub mod delete_log_stream;
pub mod deliveries;
pub mod delivery_destinations;
pub mod delivery_sources;
pub mod describe_log_groups;
pub mod describe_log_streams;
pub mod destinations;
pub mod export_tasks;
pub mod filter_log_events;
pub mod get_log_events;
pub mod get_log_group_fields;
pub mod get_log_record;
pub mod metric_filters;
pub mod put_log_events;
pub mod queries;
pub mod query_definitions;
pub mod resource_policies;
pub mod retention;
pub mod subscription_filters;
pub mod tags;

#[cfg(test)]
mod tests;
