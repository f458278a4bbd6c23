//! The paths of `InputPath` and `InputPathsMap`: `$`, fields by name, items by number.

use serde_json::Value;

/// Longest path.
const LONGEST: usize = 256;

/// A text is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid JSON path: {0}")]
pub struct PathError(pub String);

/// A path into an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Item(usize),
    /// Every item of a list; what follows is looked for in each.
    All,
}

impl JsonPath {
    /// Reads `$.detail.name`, `$.detail.list[0]`, `$.detail.list[*].name` or `$.detail['name']`.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let error = || PathError(text.chars().take(LONGEST).collect());
        let mut rest = text.strip_prefix('$').filter(|_| text.len() <= LONGEST).ok_or_else(error)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let name = &after[..end];
                if name.is_empty() || name.chars().any(|c| c.is_whitespace() || "()@?*'\"".contains(c)) {
                    return Err(error());
                }
                steps.push(Step::Field(name.to_owned()));
                rest = &after[end..];
            } else {
                let inside = rest.strip_prefix('[').ok_or_else(error)?;
                let (index, after) = inside.split_once(']').ok_or_else(error)?;
                steps.push(bracket(index).ok_or_else(error)?);
                rest = after;
            }
        }
        Ok(Self(steps))
    }

    /// What is there in an event.
    pub fn find(&self, event: &Value) -> Option<Value> {
        find(&self.0, event)
    }
}

fn bracket(text: &str) -> Option<Step> {
    if text == "*" {
        return Some(Step::All);
    }
    let quoted = |quote| text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
    match quoted('\'').or_else(|| quoted('"')) {
        Some(name) if !name.is_empty() => Some(Step::Field(name.to_owned())),
        Some(_) => None,
        None => text.parse().ok().map(Step::Item),
    }
}

fn find(steps: &[Step], value: &Value) -> Option<Value> {
    match steps {
        [] => Some(value.clone()),
        [Step::Field(name), rest @ ..] => find(rest, value.get(name)?),
        [Step::Item(index), rest @ ..] => find(rest, value.get(index)?),
        [Step::All, rest @ ..] => {
            let items = value.as_array()?;
            Some(items.iter().filter_map(|item| find(rest, item)).collect())
        }
    }
}
