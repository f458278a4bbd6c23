//! The checks that the published schema of the document stands for, with the texts that its checker has.

use crate::NotAPolicy;
use serde_json::{Map, Value};

pub(crate) type Checked<T> = Result<T, NotAPolicy>;
pub(crate) type Object = Map<String, Value>;

pub(crate) fn invalid(text: impl Into<String>) -> NotAPolicy {
    NotAPolicy(text.into())
}

/// An object with all of the required properties, and no others than those and the optional ones.
pub(crate) fn object<'v>(value: &'v Value, required: &[&str], optional: &[&str]) -> Checked<&'v Object> {
    let Value::Object(object) = value else { return Err(wrong_type(value, "object")) };
    let unknown: Vec<&str> = object.keys().map(String::as_str).collect();
    let unknown: Vec<&str> =
        unknown.into_iter().filter(|key| !required.contains(key) && !optional.contains(key)).collect();
    if !unknown.is_empty() {
        let unknown = list(&unknown);
        return Err(invalid(format!(
            "object instance has properties which are not allowed by the schema: ({unknown})"
        )));
    }
    let missing: Vec<&str> = required.iter().copied().filter(|key| !object.contains_key(*key)).collect();
    if missing.is_empty() {
        return Ok(object);
    }
    Err(invalid(format!("object has missing required properties ({})", list(&missing))))
}

/// A text out of a few.
pub(crate) fn one_of<'v>(object: &'v Object, key: &str, values: &[&str]) -> Checked<Option<&'v str>> {
    let Some(value) = object.get(key) else { return Ok(None) };
    let Value::String(text) = value else { return Err(wrong_type(value, "string")) };
    if values.contains(&text.as_str()) {
        return Ok(Some(text));
    }
    Err(invalid(format!("instance value ({text}) not found in enum :(possible values: {})", list(values))))
}

/// A whole number that is not too small.
pub(crate) fn number(object: &Object, key: &str, least: i64) -> Checked<i32> {
    let value = &object[key];
    let Some(number) = value.as_i64() else { return Err(wrong_type(value, "integer")) };
    if number < least {
        return Err(invalid(format!(
            "numeric instance is lower than the required minimum (minimum: {least}, found: {number})"
        )));
    }
    i32::try_from(number).map_err(|_| {
        invalid(format!(
            "numeric instance is greater than the required maximum (maximum: {}, found: {number})",
            i32::MAX
        ))
    })
}

/// A list of texts, empty where there is none.
pub(crate) fn texts(object: &Object, key: &str) -> Checked<Vec<String>> {
    let Some(value) = object.get(key) else { return Ok(Vec::new()) };
    let Value::Array(items) = value else { return Err(wrong_type(value, "array")) };
    let text = |item: &Value| item.as_str().map(str::to_owned).ok_or_else(|| wrong_type(item, "string"));
    items.iter().map(text).collect()
}

pub(crate) fn wrong_type(value: &Value, wanted: &str) -> NotAPolicy {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    invalid(format!(
        "instance type ({found}) does not match any allowed primitive type (allowed: [\"{wanted}\"])"
    ))
}

fn list(texts: &[&str]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("\"{text}\"")).collect();
    format!("[{}]", quoted.join(","))
}
