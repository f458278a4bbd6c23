//! One file per operation; those of retention and of tags share a file, because they are two halves of one thing.

pub mod create_log_group;
pub mod create_log_stream;
pub mod delete_log_group;
pub mod delete_log_stream;
pub mod describe_log_groups;
pub mod describe_log_streams;
pub mod filter_log_events;
pub mod get_log_events;
pub mod put_log_events;
pub mod retention;
pub mod tags;

#[cfg(test)]
mod tests;
