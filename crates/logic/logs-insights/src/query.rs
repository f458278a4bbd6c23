//! A query as it was read.

use crate::aggregate::Aggregate;
use crate::expression::Expression;
use regex::Regex;
use std::sync::Arc;

/// Rows of a result, at most.
pub const MOST_ROWS: usize = 100_000;
/// Rows of a result when the query does not say.
pub(crate) const USUAL_ROWS: usize = 10_000;

/// A query.
#[derive(Debug)]
pub struct Query {
    pub(crate) commands: Vec<Command>,
    /// Names of what results show, in order.
    pub(crate) columns: Vec<String>,
    /// Whether results are single events, which can be found again.
    pub(crate) of_events: bool,
}

/// One command.
#[derive(Debug)]
pub(crate) enum Command {
    /// Computes fields; the plain names in it only say what is shown.
    Fields(Vec<Computed>),
    Filter(Expression),
    Parse(Extraction),
    Stats(Stats),
    /// What to sort by, and whether ascending.
    Sort(Vec<(Expression, bool)>),
    Limit(usize),
    Dedup(Vec<String>),
}

/// A computed field.
#[derive(Debug)]
pub(crate) struct Computed {
    pub(crate) name: Arc<str>,
    pub(crate) expression: Expression,
}

/// Fields out of a text.
#[derive(Debug)]
pub(crate) struct Extraction {
    pub(crate) of: Expression,
    pub(crate) regex: Regex,
    /// Numbers of the regular expression's groups, and the fields they become.
    pub(crate) names: Vec<(usize, Arc<str>)>,
}

/// Groups and what is computed of each.
#[derive(Debug)]
pub(crate) struct Stats {
    pub(crate) by: Vec<Computed>,
    pub(crate) aggregates: Vec<Aggregate>,
    pub(crate) results: Vec<Computed>,
}
