//! Event patterns of EventBridge, and what the targets of a rule get of an event that matches.
//!
//! An event is a JSON document; a pattern is one, too, whose leaves are lists of what a field may be. No I/O and no
//! clock: the same event and pattern always give the same answer. Time is bounded by the size of the pattern times the
//! size of the event; a pattern has at most [`LONGEST_PATTERN`] characters.

mod matching;
mod parse;
mod path;
mod test;
#[cfg(test)]
mod tests;
mod transform;

pub use path::{JsonPath, PathError};
pub use transform::{Reserved, TargetInput, TransformError};

use matching::Node;
use serde_json::Value;

/// Most characters of a pattern.
pub const LONGEST_PATTERN: usize = 4_096;

/// Why a text is no event pattern, in the words of EventBridge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Event pattern is not valid. Reason: {0}")]
pub struct PatternError(pub String);

/// A pattern, ready to be matched.
#[derive(Clone, Debug, PartialEq)]
pub struct EventPattern(Node);

impl EventPattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.chars().count() > LONGEST_PATTERN {
            return Err(PatternError("the pattern is too long".to_owned()));
        }
        let value: Value = serde_json::from_str(text)
            .map_err(|error| PatternError(format!("Filter is not valid JSON: {error}")))?;
        parse::pattern(&value).map(Self)
    }

    /// Whether an event matches.
    pub fn matches(&self, event: &Value) -> bool {
        matching::matches(&self.0, Some(event))
    }
}
