//! Filter patterns: which log events a search wants.
//!
//! Three languages share one field: terms (`ERROR -debug ?a "a phrase" %regex%`), a condition on JSON events
//! (`{ $.a = "x*" && $.n > 5 }`), and one on space-delimited events (`[ip, ..., status = 4*, bytes > 10]`). An empty
//! pattern wants every event. Parsing bounds its nesting, and regular expressions run in linear time, so that no
//! pattern is a burden.

mod columns;
mod condition;
mod cursor;
mod json;
mod terms;

use columns::Columns;
use cursor::Cursor;
use json::JsonCondition;
use std::collections::BTreeMap;
use terms::Terms;

/// Regular expressions that AWS takes in a pattern for JSON or columns.
const MOST_REGEXES: usize = 2;

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

impl PatternError {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// A parsed pattern.
#[derive(Debug)]
pub struct Pattern(Kind);

#[derive(Debug)]
enum Kind {
    Terms(Terms),
    Json(JsonCondition),
    Columns(Columns),
}

impl Pattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let mut cursor = Cursor::new(text.trim());
        let kind = match cursor.peek() {
            Some('{') => Kind::Json(JsonCondition::parse(&mut cursor)?),
            Some('[') => Kind::Columns(Columns::parse(&mut cursor)?),
            _ => Kind::Terms(Terms::parse(&mut cursor)?),
        };
        cursor.skip_space();
        if cursor.peek().is_some() {
            return Err(PatternError::new(format!("Unexpected text '{}'", cursor.rest())));
        }
        if !matches!(kind, Kind::Terms(_)) && cursor.regexes() > MOST_REGEXES {
            return Err(PatternError::new(format!("More than {MOST_REGEXES} regular expressions")));
        }
        Ok(Self(kind))
    }

    /// Whether the message is wanted.
    pub fn matches(&self, message: &str) -> bool {
        match &self.0 {
            Kind::Terms(terms) => terms.matches(message),
            Kind::Json(condition) => condition.matches(message),
            Kind::Columns(columns) => columns.matches(message),
        }
    }

    /// Whether the pattern is one whose events have fields.
    pub fn has_fields(&self) -> bool {
        !matches!(self.0, Kind::Terms(_))
    }

    /// What a field of a message holds: `$.a.b` of JSON, `$column` of columns that the pattern names.
    pub fn field(&self, message: &str, field: &str) -> Option<String> {
        match &self.0 {
            Kind::Terms(_) => None,
            Kind::Json(_) => json::field(message, field),
            Kind::Columns(columns) => columns.field(message, field.strip_prefix('$')?),
        }
    }

    /// The fields that the pattern names, with what they hold in a message.
    pub fn fields(&self, message: &str) -> BTreeMap<String, String> {
        match &self.0 {
            Kind::Terms(_) => BTreeMap::new(),
            Kind::Json(condition) => condition.fields(message),
            Kind::Columns(columns) => columns.fields(message),
        }
    }
}

#[cfg(test)]
mod tests;
