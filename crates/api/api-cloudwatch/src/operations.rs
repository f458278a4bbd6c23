//! The operations: one file each, those of alarms and tags together.

pub mod alarms;
pub mod get_metric_data;
pub mod get_metric_statistics;
pub mod list_metrics;
pub mod put_metric_data;
pub mod tags;

#[cfg(test)]
mod tests;
