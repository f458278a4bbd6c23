//! Conditions on space-delimited events: `[ip, user, ..., status = 4* || status = 5*, bytes > 1000]`.
//!
//! An event's columns are its words; a text in double quotes or in brackets is one column. Without an ellipsis the
//! event must have as many columns as the pattern.

use super::PatternError;
use super::condition::{Condition, Operator, Text};
use super::cursor::Cursor;
use std::collections::{BTreeMap, HashMap};

/// Columns and what they must be.
#[derive(Debug)]
pub struct Columns {
    /// Conditions of the columns before the ellipsis, or of all.
    head: Vec<Column>,
    /// Conditions of the last columns, when there is an ellipsis.
    tail: Option<Vec<Column>>,
}

#[derive(Debug)]
struct Column {
    name: String,
    condition: Option<Condition<Comparison>>,
}

#[derive(Debug)]
struct Comparison {
    name: String,
    operator: Operator,
    text: Text,
}

impl Columns {
    /// Reads columns in brackets.
    pub fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        cursor.require("[")?;
        let (mut columns, mut head) = (Vec::new(), None);
        loop {
            cursor.skip_space();
            if cursor.eat("...") {
                if head.replace(std::mem::take(&mut columns)).is_some() {
                    return Err(PatternError::new("Only one ellipsis is allowed"));
                }
            } else {
                columns.push(Column::parse(cursor)?);
            }
            cursor.skip_space();
            if cursor.eat("]") {
                break;
            }
            cursor.require(",")?;
        }
        Ok(match head {
            Some(head) => Self { head, tail: Some(columns) },
            None => Self { head: columns, tail: None },
        })
    }

    /// Whether the message has such columns.
    pub fn matches(&self, message: &str) -> bool {
        let Some(columns) = self.columns(message) else { return false };
        let named: HashMap<&str, &str> =
            columns.iter().map(|(column, word)| (column.name.as_str(), *word)).collect();
        columns.iter().all(|(column, _)| column.holds(&named))
    }

    /// What the column with a name holds in a message.
    pub fn field(&self, message: &str, name: &str) -> Option<String> {
        let columns = self.columns(message)?;
        columns.iter().find(|(column, _)| column.name == name).map(|(_, word)| (*word).to_owned())
    }

    /// All columns with what they hold in a message; those without a name go by their number.
    pub fn fields(&self, message: &str) -> BTreeMap<String, String> {
        let columns = self.columns(message).unwrap_or_default().into_iter().enumerate();
        let named = columns.map(|(index, (column, word))| {
            let name = if column.name.is_empty() { (index + 1).to_string() } else { column.name.clone() };
            (format!("${name}"), word.to_owned())
        });
        named.collect()
    }

    /// The words of a message beside their columns; `None` when their numbers do not fit.
    fn columns<'p, 'm>(&'p self, message: &'m str) -> Option<Vec<(&'p Column, &'m str)>> {
        let words = split(message);
        let tail = self.tail.as_deref().unwrap_or_default();
        let fits = match self.tail {
            None => words.len() == self.head.len(),
            Some(_) => words.len() >= self.head.len() + tail.len(),
        };
        if !fits {
            return None;
        }
        let from_end = words.len() - tail.len();
        let head = self.head.iter().zip(words.iter().copied());
        Some(head.chain(tail.iter().zip(words[from_end..].iter().copied())).collect())
    }
}

impl Column {
    fn parse<'a>(cursor: &mut Cursor<'a>) -> Result<Self, PatternError> {
        let before = cursor.rest();
        let name = column_name(cursor).to_owned();
        cursor.skip_space();
        if matches!(cursor.peek(), Some(',' | ']')) {
            return Ok(Self { name, condition: None });
        }
        // Not a name alone: read it again as a condition.
        cursor.return_to(before);
        let condition = Condition::parse(cursor, &|cursor: &mut Cursor<'a>| {
            cursor.skip_space();
            let name = column_name(cursor).to_owned();
            let operator = Operator::parse(cursor).ok_or_else(|| cursor.unexpected("an operator"))?;
            let text = cursor.operand(|c| matches!(c, ',' | ']' | ')' | '&' | '|'))?;
            Ok(Comparison { name, operator, text })
        })?;
        Ok(Self { name, condition: Some(condition) })
    }

    fn holds(&self, named: &HashMap<&str, &str>) -> bool {
        self.condition.as_ref().is_none_or(|condition| {
            condition.holds(&|comparison| {
                named
                    .get(comparison.name.as_str())
                    .is_some_and(|word| comparison.text.compare(comparison.operator, word))
            })
        })
    }
}

fn column_name<'a>(cursor: &mut Cursor<'a>) -> &'a str {
    cursor.skip_space();
    cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'))
}

/// The columns of an event.
fn split(message: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = message.trim();
    while let Some(first) = rest.chars().next() {
        let close = match first {
            '"' => Some('"'),
            '[' => Some(']'),
            _ => None,
        };
        let enclosed = close.and_then(|close| rest[1..].split_once(close));
        let (word, after) = match enclosed {
            Some(found) => found,
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        words.push(word);
        rest = after.trim_start();
    }
    words
}
