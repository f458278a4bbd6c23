//! Metrics: samples in, statistics over periods out.
//!
//! A put appends one record to a journal and is answered when that is on disk. Memory holds the points that are in no
//! block yet; when the journal is full, or an hour is over, they become a block: a file with a range of time in its name,
//! and one record for each series. A sweep makes old blocks coarser and drops what is past retention, with the ages of
//! CloudWatch: points of a second become points of a minute after three hours, of five minutes after 15 days, of an hour
//! after 63 days, and go after 455 days.
//!
//! Promises: an answered put survives a crash; a block that takes the place of others names them, so that a crash
//! between its writing and their removal counts nothing twice. Points keep their values as they came while there are few
//! different ones, and with a precision of one percent beyond that, for percentiles.
//!
//! Nothing here knows the API: the service `api-cloudwatch` is above, metric filters of `api-logs` put samples, and what
//! scales and alarms may read from here, too.

mod block;
mod distribution;
mod statistic;
mod store;

pub use block::{Sample, Series};
pub use distribution::{Distribution, InvalidDistribution};
pub use statistic::Statistic;
pub use store::{Metrics, MetricsError, Point, Wanted};
