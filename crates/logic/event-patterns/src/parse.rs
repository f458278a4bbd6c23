//! Reads patterns.

use crate::PatternError;
use crate::matching::Node;
use crate::test::{Comparison, Test, TextTest};
use serde_json::{Map, Value};

/// Greatest absolute value of numbers in `numeric`.
const GREATEST: f64 = 5.0e9;
/// Most asterisks of a wildcard.
const MOST_ASTERISKS: usize = 64;

fn wrong<T>(reason: impl Into<String>) -> Result<T, PatternError> {
    Err(PatternError(reason.into()))
}

/// A whole pattern.
pub(crate) fn pattern(value: &Value) -> Result<Node, PatternError> {
    let Value::Object(object) = value else { return wrong("Filter is not an object") };
    self::object(object)
}

fn object(object: &Map<String, Value>) -> Result<Node, PatternError> {
    if object.is_empty() {
        return wrong("Empty objects are not allowed");
    }
    let (mut fields, mut either) = (Vec::new(), Vec::new());
    for (name, value) in object {
        match (name.as_str(), value) {
            ("$or", Value::Array(alternatives)) if is_or(alternatives) => {
                either.push(alternatives.iter().map(pattern).collect::<Result<_, _>>()?);
            }
            (_, value) => fields.push((name.clone(), node(name, value)?)),
        }
    }
    Ok(Node::Object { fields, either })
}

/// `$or` is a relation when it has two or more objects none of which looks like a test; else it is a field.
fn is_or(alternatives: &[Value]) -> bool {
    alternatives.len() > 1
        && alternatives.iter().all(|item| {
            item.as_object()
                .is_some_and(|object| !object.is_empty() && !object.keys().all(|key| is_test(key)))
        })
}

fn is_test(name: &str) -> bool {
    matches!(
        name,
        "prefix"
            | "suffix"
            | "anything-but"
            | "numeric"
            | "exists"
            | "cidr"
            | "equals-ignore-case"
            | "wildcard"
    )
}

fn node(name: &str, value: &Value) -> Result<Node, PatternError> {
    match value {
        Value::Object(inner) => object(inner),
        Value::Array(items) if items.is_empty() => wrong("Empty arrays are not allowed"),
        Value::Array(items) => items.iter().map(test).collect::<Result<_, _>>().map(Node::Leaf),
        _ => wrong(format!("\"{name}\" must be an object or an array")),
    }
}

fn test(item: &Value) -> Result<Test, PatternError> {
    match item {
        Value::Object(object) => {
            let mut members = object.iter();
            match (members.next(), members.next()) {
                (Some((name, value)), None) => named(name, value),
                _ => wrong("Only one key allowed in match expression"),
            }
        }
        Value::Array(_) => wrong("Match value must be String, number, true, false, or null"),
        value => Ok(Test::Equals(value.clone())),
    }
}

fn named(name: &str, value: &Value) -> Result<Test, PatternError> {
    match name {
        "exists" => match value {
            Value::Bool(wanted) => Ok(Test::Exists(*wanted)),
            _ => wrong("exists match pattern must be either true or false."),
        },
        "numeric" => numeric(value),
        "cidr" => cidr(value),
        "anything-but" => anything_but(value),
        "prefix" | "suffix" | "equals-ignore-case" | "wildcard" => text_test(name, value).map(Test::Text),
        _ => wrong(format!("Unrecognized match type {name}")),
    }
}

fn text_test(name: &str, value: &Value) -> Result<TextTest, PatternError> {
    match (name, value) {
        ("prefix", Value::String(text)) => Ok(TextTest::Prefix(text.clone())),
        ("suffix", Value::String(text)) => Ok(TextTest::Suffix(text.clone())),
        ("equals-ignore-case", Value::String(text)) => Ok(TextTest::EqualsIgnoreCase(text.to_lowercase())),
        ("wildcard", Value::String(text)) => wildcard(text),
        ("prefix" | "suffix", Value::Object(inner)) => match inner.get("equals-ignore-case") {
            Some(Value::String(text)) if inner.len() == 1 => Ok(if name == "prefix" {
                TextTest::PrefixIgnoreCase(text.to_lowercase())
            } else {
                TextTest::SuffixIgnoreCase(text.to_lowercase())
            }),
            _ => wrong(format!("Unsupported {name} pattern")),
        },
        _ => wrong(format!("{name} match pattern must be a string")),
    }
}

/// Splits at asterisks; a backslash takes away the meaning of an asterisk or another backslash.
fn wildcard(text: &str) -> Result<TextTest, PatternError> {
    let mut parts = vec![String::new()];
    let mut after_asterisk = false;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        // There always is a last part.
        let index = parts.len() - 1;
        match character {
            '*' if after_asterisk => return wrong("Consecutive wildcard characters"),
            '*' if index == MOST_ASTERISKS => return wrong("Rule is too complex"),
            '*' => parts.push(String::new()),
            '\\' => match characters.next() {
                Some(escaped @ ('*' | '\\')) => parts[index].push(escaped),
                _ => return wrong("Invalid escape character"),
            },
            other => parts[index].push(other),
        }
        after_asterisk = character == '*';
    }
    Ok(TextTest::Wildcard(parts))
}

fn anything_but(value: &Value) -> Result<Test, PatternError> {
    match value {
        Value::Object(inner) => {
            let mut members = inner.iter();
            let (Some((name, value)), None) = (members.next(), members.next()) else {
                return wrong("Only one key allowed in match expression");
            };
            if !matches!(name.as_str(), "prefix" | "suffix" | "equals-ignore-case" | "wildcard") {
                return wrong(format!("Unsupported anything-but pattern: {name}"));
            }
            let values: Vec<&Value> = match value {
                Value::Array(items) => items.iter().collect(),
                single => vec![single],
            };
            if values.is_empty() {
                return wrong("Empty arrays are not allowed");
            }
            values.into_iter().map(|value| text_test(name, value)).collect::<Result<_, _>>().map(Test::NoText)
        }
        Value::Array(items) => {
            let all = |is: fn(&Value) -> bool| items.iter().all(is);
            if items.is_empty() {
                return wrong("Empty arrays are not allowed");
            }
            if !all(Value::is_string) && !all(Value::is_number) {
                return wrong(
                    "Inside anything but list, either all values are number or string, mixed type is not supported",
                );
            }
            Ok(Test::AnythingBut(items.clone()))
        }
        Value::String(_) | Value::Number(_) => Ok(Test::AnythingBut(vec![value.clone()])),
        _ => wrong("Value of anything-but must be an array or single string/number value."),
    }
}

fn numeric(value: &Value) -> Result<Test, PatternError> {
    let Value::Array(items) = value else { return wrong("Value of numeric must be an array.") };
    if items.is_empty() || items.len() > 4 || items.len() % 2 != 0 {
        return wrong("Invalid number of elements in numeric range");
    }
    let mut bounds = Vec::new();
    for pair in items.chunks(2) {
        let [sign, bound] = pair else { return wrong("Invalid number of elements in numeric range") };
        let Some(comparison) = sign.as_str().and_then(Comparison::of) else {
            return wrong(format!("Unrecognized numeric range operator: {sign}"));
        };
        let Some(bound) = bound.as_f64() else { return wrong("Value of numeric must be numeric") };
        if bound.abs() > GREATEST {
            return wrong("Value must be between -5.0E9 and 5.0E9, inclusive");
        }
        bounds.push((comparison, bound));
    }
    check_range(&bounds)?;
    Ok(Test::Numeric(bounds))
}

/// Two comparisons are a lower and then an upper bound with something between them.
fn check_range(bounds: &[(Comparison, f64)]) -> Result<(), PatternError> {
    let [(first, low), (second, high)] = bounds else { return Ok(()) };
    let lower = matches!(first, Comparison::Greater | Comparison::GreaterOrEqual);
    let upper = matches!(second, Comparison::Less | Comparison::LessOrEqual);
    if !lower || !upper {
        return wrong("Bad numeric range operator");
    }
    if low >= high {
        return wrong("Bottom must be less than top");
    }
    Ok(())
}

fn cidr(value: &Value) -> Result<Test, PatternError> {
    let Some(text) = value.as_str() else { return wrong("prefix match pattern must be a string") };
    let malformed = || PatternError(format!("Malformed CIDR, one '/' required: {text}"));
    // A single address is a block of one.
    let block = if text.contains('/') {
        text.parse().map_err(|_| malformed())?
    } else {
        text.parse::<std::net::IpAddr>().map_err(|_| malformed())?.into()
    };
    Ok(Test::Cidr(block))
}
