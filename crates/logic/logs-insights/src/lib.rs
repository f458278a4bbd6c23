//! The query language of CloudWatch Logs Insights: events and a query in, rows out.
//!
//! [`Query::parse`] reads a query; a [`Run`] takes events, newest first, and gives the rows. Nothing is looked up, no clock
//! is read. Parsing bounds its nesting and regular expressions run in linear time; what a run keeps in memory is counted,
//! and a run that would keep too much ends with [`TooLarge`].
//!
//! Commands: fields, display, filter, parse, stats, sort, limit, dedup. What AWS has beside them (pattern, diff, anomaly,
//! unnest, join, lookup and the like) is refused by name.
//!
//! The parser is written by hand over a text and a place in it: expressions are read by precedence climbing, and every
//! error tells the place that AWS's error has a member for.

mod aggregate;
mod cursor;
mod event;
mod expression;
mod function;
mod parse;
mod query;
mod run;
mod value;

pub use cursor::Malformed;
pub use event::Event;
pub use query::{MOST_ROWS, Query};
pub use run::{Outcome, Run, TooLarge};
pub use value::Value;

#[cfg(test)]
mod tests;
