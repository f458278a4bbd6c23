//! What a target gets: the event, a part of it, a constant, or a template filled from it.

use crate::path::{JsonPath, PathError};
use serde_json::Value;
use std::collections::BTreeMap;

/// Most variables of a template.
const MOST_VARIABLES: usize = 100;

/// Why a transformer is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransformError {
    /// A path is none.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A constant is not JSON.
    #[error("JSON syntax error in input")]
    Input,
    /// Names of variables are wrong, or there are too many.
    #[error("Invalid InputTransformer: {0}")]
    Variables(String),
    /// The template uses a variable that is not there.
    #[error("Invalid InputTemplate for target: Invalid variable {0}")]
    Unknown(String),
    /// The template is not JSON when it is filled.
    #[error("Invalid InputTemplate for target: {0}")]
    Template(String),
}

/// What a template may say of the rule beside the event.
#[derive(Clone, Copy, Debug)]
pub struct Reserved<'a> {
    /// `aws.events.rule-arn`.
    pub rule_arn: &'a str,
    /// `aws.events.rule-name`.
    pub rule_name: &'a str,
    /// `aws.events.event.ingestion-time`.
    pub ingestion_time: &'a str,
}

/// What a target gets.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum TargetInput {
    /// The event itself.
    #[default]
    Event,
    /// A part of it.
    Path(JsonPath),
    /// Always the same JSON.
    Constant(String),
    /// A template.
    Template {
        /// Its variables.
        paths: BTreeMap<String, JsonPath>,
        /// The template.
        template: String,
    },
}

impl TargetInput {
    /// Always the same JSON.
    pub fn constant(text: &str) -> Result<Self, TransformError> {
        serde_json::from_str::<Value>(text).map_err(|_| TransformError::Input)?;
        Ok(Self::Constant(text.to_owned()))
    }

    /// A part of the event.
    pub fn path(text: &str) -> Result<Self, TransformError> {
        Ok(Self::Path(JsonPath::parse(text)?))
    }

    /// A template with its variables by name.
    pub fn template<'a>(
        paths: impl IntoIterator<Item = (&'a str, &'a str)>,
        template: &str,
    ) -> Result<Self, TransformError> {
        let mut parsed = BTreeMap::new();
        for (name, path) in paths {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if name.is_empty() || !name.chars().all(plain) || name.to_ascii_lowercase().starts_with("aws") {
                return Err(TransformError::Variables(format!("InputPathsMap key {name} is not valid")));
            }
            parsed.insert(name.to_owned(), JsonPath::parse(path)?);
        }
        if parsed.len() > MOST_VARIABLES {
            return Err(TransformError::Variables("InputPathsMap has too many entries".to_owned()));
        }
        let input = Self::Template { paths: parsed, template: template.to_owned() };
        input.check()?;
        Ok(input)
    }

    /// Fills a template with nothing, to see whether it is one.
    fn check(&self) -> Result<(), TransformError> {
        let Self::Template { paths, template } = self else { return Ok(()) };
        for name in variables(template) {
            if !paths.contains_key(name) && !is_reserved(name) {
                return Err(TransformError::Unknown(name.to_owned()));
            }
        }
        let filled = fill(template, |_, _| "0".to_owned());
        if is_json(template) && serde_json::from_str::<Value>(&filled).is_err() {
            return Err(TransformError::Template("it is not valid JSON".to_owned()));
        }
        Ok(())
    }

    /// What is sent to the target, as JSON; texts are JSON texts.
    pub fn of(&self, event: &Value, reserved: &Reserved<'_>) -> String {
        match self {
            Self::Event => event.to_string(),
            Self::Path(path) => path.find(event).unwrap_or(Value::Object(serde_json::Map::new())).to_string(),
            Self::Constant(text) => text.clone(),
            Self::Template { paths, template } => {
                let look_up = |name: &str| match name {
                    "aws.events.rule-arn" => Some(reserved.rule_arn.into()),
                    "aws.events.rule-name" => Some(reserved.rule_name.into()),
                    "aws.events.event.ingestion-time" => Some(reserved.ingestion_time.into()),
                    "aws.events.event" => Some(without_detail(event)),
                    "aws.events.event.json" => Some(event.clone()),
                    name => paths.get(name).and_then(|path| path.find(event)),
                };
                fill(template, |name, quoted| written(look_up(name), quoted))
            }
        }
    }
}

fn is_reserved(name: &str) -> bool {
    matches!(
        name,
        "aws.events.rule-arn"
            | "aws.events.rule-name"
            | "aws.events.event.ingestion-time"
            | "aws.events.event"
            | "aws.events.event.json"
    )
}

fn without_detail(event: &Value) -> Value {
    let mut event = event.clone();
    if let Some(object) = event.as_object_mut() {
        object.remove("detail");
    }
    event
}

/// A template that gives an object, a list or a text, and not lines of plain text.
fn is_json(template: &str) -> bool {
    template.trim_start().starts_with(['{', '[', '"'])
}

/// A value inside a text is plain; elsewhere it is JSON. What is not there is empty.
fn written(value: Option<Value>, quoted: bool) -> String {
    match (value, quoted) {
        (None, true) => String::new(),
        (None, false) => "\"\"".to_owned(),
        (Some(Value::String(text)), true) => escape(&text),
        (Some(value), true) => escape(&value.to_string()),
        (Some(value), false) => value.to_string(),
    }
}

/// A text as it stands between the quotes of a JSON text.
fn escape(text: &str) -> String {
    let quoted = Value::String(text.to_owned()).to_string();
    quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
}

/// The names between angle brackets.
fn variables(template: &str) -> impl Iterator<Item = &str> {
    template
        .split('<')
        .skip(1)
        .filter_map(|after| after.split_once('>'))
        .map(|(name, _)| name)
        .filter(|name| is_name(name))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}

/// Replaces each variable by what `value` says; it is told whether the variable stands inside a JSON text.
fn fill(template: &str, value: impl Fn(&str, bool) -> String) -> String {
    let mut out = String::with_capacity(template.len());
    let (mut quoted, mut escaped) = (false, false);
    let mut rest = template;
    while let Some(character) = rest.chars().next() {
        let name = rest.strip_prefix('<').and_then(|after| after.split_once('>')).map(|(name, _)| name);
        if let Some(name) = name.filter(|name| is_name(name)) {
            out.push_str(&value(name, quoted));
            rest = &rest[name.len() + 2..];
            continue;
        }
        if character == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = character == '\\' && !escaped;
        out.push(character);
        rest = &rest[character.len_utf8()..];
    }
    out
}
