//! Conditions on JSON events: `{ $.user.id = 7 && ($.tags[*] = "a*" || $.error IS NULL) }`.

use super::PatternError;
use super::condition::{Condition, Operator, Text};
use super::cursor::Cursor;
use serde_json::Value;
use std::collections::BTreeMap;

/// A condition on the fields of a JSON object.
#[derive(Debug)]
pub struct JsonCondition(Condition<Comparison>);

#[derive(Debug)]
struct Comparison {
    /// The selector as it was written.
    written: String,
    selector: Vec<Step>,
    test: Test,
}

/// One step from a value to values inside it.
#[derive(Debug)]
enum Step {
    Member(String),
    Item(usize),
    /// `[*]` or `.*`: every item or member.
    Every,
}

#[derive(Debug)]
enum Test {
    Compare(Operator, Text),
    IsNull,
    Is(bool),
    Exists,
    NotExists,
}

impl JsonCondition {
    /// Reads a condition in braces.
    pub fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        cursor.require("{")?;
        let condition = Condition::parse(cursor, &comparison)?;
        cursor.skip_space();
        cursor.require("}")?;
        Ok(Self(condition))
    }

    /// The fields that the condition names, with what they hold in a message.
    pub fn fields(&self, message: &str) -> BTreeMap<String, String> {
        let Ok(event) = serde_json::from_str::<Value>(message) else { return BTreeMap::new() };
        let comparisons = self.0.all().into_iter();
        let held = comparisons.filter_map(|one| Some((one.written.clone(), shown(&event, &one.selector)?)));
        held.collect()
    }

    /// Whether the message is JSON that meets the condition.
    pub fn matches(&self, message: &str) -> bool {
        let Ok(value) = serde_json::from_str::<Value>(message) else { return false };
        (value.is_object() || value.is_array()) && self.0.holds(&|comparison| comparison.holds(&value))
    }
}

/// What the field that a selector leads to holds.
pub fn field(message: &str, selector_text: &str) -> Option<String> {
    let mut cursor = Cursor::new(selector_text);
    let steps = selector(&mut cursor).ok().filter(|_| cursor.peek().is_none())?;
    let event = serde_json::from_str::<Value>(message).ok()?;
    shown(&event, &steps)
}

fn shown(event: &Value, steps: &[Step]) -> Option<String> {
    let mut found = Vec::new();
    select(event, steps, &mut found);
    match found.first()? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

impl Comparison {
    fn holds(&self, event: &Value) -> bool {
        let mut found = Vec::new();
        select(event, &self.selector, &mut found);
        match &self.test {
            Test::Exists => !found.is_empty(),
            Test::NotExists => found.is_empty(),
            Test::IsNull => found.iter().any(|value| value.is_null()),
            Test::Is(wanted) => found.iter().any(|value| value.as_bool() == Some(*wanted)),
            Test::Compare(operator, text) => found.iter().any(|value| match value {
                Value::String(value) => text.compare(*operator, value),
                Value::Number(number) => text.compare(*operator, &number.to_string()),
                Value::Bool(value) => text.compare(*operator, if *value { "true" } else { "false" }),
                Value::Null | Value::Array(_) | Value::Object(_) => false,
            }),
        }
    }
}

fn select<'a>(value: &'a Value, selector: &[Step], found: &mut Vec<&'a Value>) {
    let Some((step, rest)) = selector.split_first() else {
        found.push(value);
        return;
    };
    match (step, value) {
        (Step::Member(name), Value::Object(members)) => {
            if let Some(value) = members.get(name) {
                select(value, rest, found);
            }
        }
        (Step::Item(index), Value::Array(items)) => {
            if let Some(value) = items.get(*index) {
                select(value, rest, found);
            }
        }
        (Step::Every, Value::Array(items)) => items.iter().for_each(|value| select(value, rest, found)),
        (Step::Every, Value::Object(members)) => {
            members.values().for_each(|value| select(value, rest, found));
        }
        _ => {}
    }
}

fn comparison(cursor: &mut Cursor<'_>) -> Result<Comparison, PatternError> {
    cursor.skip_space();
    let before = cursor.rest();
    let selector = selector(cursor)?;
    let written = before[..before.len() - cursor.rest().len()].to_owned();
    if let Some(operator) = Operator::parse(cursor) {
        let text = cursor.operand(|c| matches!(c, ')' | '}' | '&' | '|'))?;
        return Ok(Comparison { written, selector, test: Test::Compare(operator, text) });
    }
    cursor.skip_space();
    let test = if cursor.eat_word("IS") {
        cursor.skip_space();
        if cursor.eat_word("NULL") {
            Test::IsNull
        } else if cursor.eat_word("TRUE") {
            Test::Is(true)
        } else if cursor.eat_word("FALSE") {
            Test::Is(false)
        } else {
            return Err(cursor.unexpected("NULL, TRUE or FALSE"));
        }
    } else if cursor.eat_word("NOT") {
        cursor.skip_space();
        if !cursor.eat_word("EXISTS") {
            return Err(cursor.unexpected("EXISTS"));
        }
        Test::NotExists
    } else if cursor.eat_word("EXISTS") {
        Test::Exists
    } else {
        return Err(cursor.unexpected("an operator"));
    };
    Ok(Comparison { written, selector, test })
}

fn selector(cursor: &mut Cursor<'_>) -> Result<Vec<Step>, PatternError> {
    cursor.require("$")?;
    let mut steps = Vec::new();
    loop {
        let dotted = cursor.eat(".");
        if cursor.eat("[") {
            steps.push(bracketed(cursor)?);
            cursor.require("]")?;
        } else if dotted && cursor.eat("*") {
            steps.push(Step::Every);
        } else if dotted {
            let name =
                cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '@' | ':' | '/' | '#'));
            if name.is_empty() {
                return Err(cursor.unexpected("the name of a field"));
            }
            steps.push(Step::Member(name.to_owned()));
        } else if steps.is_empty() {
            return Err(cursor.unexpected("'.'"));
        } else {
            return Ok(steps);
        }
    }
}

fn bracketed(cursor: &mut Cursor<'_>) -> Result<Step, PatternError> {
    match cursor.peek() {
        Some('*') => cursor.require("*").map(|()| Step::Every),
        Some(quote @ ('\'' | '"')) => cursor.quoted(quote).map(Step::Member),
        _ => {
            let digits = cursor.take_while(|c| c.is_ascii_digit());
            digits.parse().map(Step::Item).map_err(|_| cursor.unexpected("an index or a name in quotes"))
        }
    }
}
