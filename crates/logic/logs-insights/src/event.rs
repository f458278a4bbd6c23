//! Events and the fields that are found in them.

use crate::Value;
use std::cell::OnceCell;
use std::sync::Arc;

/// Fields that are found in one JSON event, which is AWS's bound.
const MOST_FIELDS: usize = 200;

/// A log event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its time in milliseconds.
    pub timestamp: i64,
    /// When it arrived, in milliseconds.
    pub ingestion: i64,
    /// Its message.
    pub message: String,
    /// Name of its stream.
    pub log_stream: Arc<str>,
    /// Its group, as `ACCOUNT:GROUP`.
    pub log: Arc<str>,
    /// What finds it again.
    pub pointer: String,
}

impl Event {
    /// Names of the fields of an event: those that all have, and those of a JSON message.
    pub fn field_names(&self) -> Vec<String> {
        let found = discover(&self.message).into_iter().map(|(name, _)| name);
        ["@ingestionTime", "@log", "@logStream", "@message", "@timestamp"]
            .into_iter()
            .map(str::to_owned)
            .chain(found)
            .collect()
    }

    /// All fields of an event with their values as results show them.
    pub fn fields(&self) -> Vec<(String, String)> {
        let row = Row::of(self.clone());
        let shown = |name: String| Some((row.get(&name).text()?.into_owned(), name));
        self.field_names().into_iter().filter_map(shown).map(|(value, name)| (name, value)).collect()
    }
}

/// A row on its way through the commands: an event, or a group of a command `stats`, and what was computed.
#[derive(Debug)]
pub(crate) struct Row {
    event: Option<Box<Record>>,
    computed: Vec<(Arc<str>, Value)>,
}

#[derive(Debug)]
struct Record {
    event: Event,
    /// What the message has, looked at when it is first asked for.
    found: OnceCell<Vec<(String, Value)>>,
}

impl Row {
    pub(crate) fn of(event: Event) -> Self {
        let record = Record { event, found: OnceCell::new() };
        Self { event: Some(Box::new(record)), computed: Vec::new() }
    }

    pub(crate) fn computed(computed: Vec<(Arc<str>, Value)>) -> Self {
        Self { event: None, computed }
    }

    pub(crate) fn set(&mut self, name: &Arc<str>, value: Value) {
        self.computed.push((name.clone(), value));
    }

    /// The value of a field; what was computed last hides what was there before.
    pub(crate) fn get(&self, name: &str) -> Value {
        if let Some((_, value)) = self.computed.iter().rev().find(|(key, _)| **key == *name) {
            return value.clone();
        }
        let Some(record) = &self.event else { return Value::Null };
        let event = &record.event;
        match name {
            "@timestamp" => Value::Time(event.timestamp),
            "@ingestionTime" => Value::Time(event.ingestion),
            "@message" => Value::Text(event.message.clone()),
            "@logStream" => Value::Text(event.log_stream.as_ref().to_owned()),
            "@log" => Value::Text(event.log.as_ref().to_owned()),
            "@ptr" => Value::Text(event.pointer.clone()),
            _ => {
                let found = record.found.get_or_init(|| discover(&event.message));
                let value = found.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
                value.unwrap_or(Value::Null)
            }
        }
    }

    /// Bytes that keeping the row takes, about.
    pub(crate) fn size(&self) -> usize {
        let event = self.event.as_ref().map_or(0, |record| {
            // The found fields repeat the message at most.
            let found = record.found.get().map_or(0, |found| record.event.message.len() + found.len() * 64);
            record.event.message.len() + record.event.pointer.len() + found + size_of::<Record>()
        });
        event + self.computed.iter().map(|(_, value)| value.size() + 16).sum::<usize>() + size_of::<Self>()
    }
}

/// The fields of a message that is a JSON object: members of members as `a.b`, items of lists as `a.0`.
fn discover(message: &str) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    if message.trim_start().starts_with('{')
        && let Ok(value @ serde_json::Value::Object(_)) = serde_json::from_str(message)
    {
        collect(&value, String::new(), &mut found);
    }
    found
}

fn collect(value: &serde_json::Value, name: String, found: &mut Vec<(String, Value)>) {
    use serde_json::Value as Json;
    if found.len() >= MOST_FIELDS {
        return;
    }
    let inside = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Json::Null => {}
        Json::Bool(value) => found.push((name, Value::of_bool(*value))),
        Json::Number(number) => {
            found.push((name, number.as_f64().map_or(Value::Null, Value::Number)));
        }
        Json::String(text) => found.push((name, Value::Text(text.clone()))),
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, inside(&index.to_string()), found);
            }
        }
        Json::Object(members) => {
            for (key, member) in members {
                collect(member, inside(key), found);
            }
        }
    }
}
