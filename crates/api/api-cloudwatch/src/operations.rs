//! One file per operation.

pub mod get_metric_data;
pub mod get_metric_statistics;
pub mod list_metrics;
pub mod put_metric_data;

#[cfg(test)]
mod tests;
