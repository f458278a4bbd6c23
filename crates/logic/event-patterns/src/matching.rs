//! Patterns against events.
//!
//! Lists in events are looked into: a field that is a list matches when one of its items does, and a pattern for an
//! object inside a list must match as a whole inside one item.

use crate::test::Test;
use serde_json::Value;

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    /// Fields that must all match, and groups of which one alternative each must match.
    Object {
        /// Fields by name.
        fields: Vec<(String, Node)>,
        /// `$or`: each a list of alternatives.
        either: Vec<Vec<Node>>,
    },
    /// What a field may be; one must hold.
    Leaf(Vec<Test>),
}

/// Whether a value, or its absence, matches.
pub(crate) fn matches(node: &Node, value: Option<&Value>) -> bool {
    match node {
        Node::Leaf(tests) => leaf(tests, value),
        Node::Object { fields, either } => match value {
            Some(Value::Array(items)) if !items.is_empty() => {
                items.iter().any(|item| matches(node, Some(item)))
            }
            value => {
                let field =
                    |name: &String| value.and_then(Value::as_object).and_then(|object| object.get(name));
                fields.iter().all(|(name, node)| matches(node, field(name)))
                    && either.iter().all(|group| group.iter().any(|node| matches(node, value)))
            }
        },
    }
}

fn leaf(tests: &[Test], value: Option<&Value>) -> bool {
    let present = value.is_some_and(has_leaf);
    tests.iter().any(|test| match test {
        Test::Exists(wanted) => *wanted == present,
        test => value.is_some_and(|value| any_leaf(value, test)),
    })
}

/// Whether there is a value that is neither an object nor an empty list.
fn has_leaf(value: &Value) -> bool {
    match value {
        Value::Object(_) => false,
        Value::Array(items) => items.iter().any(has_leaf),
        _ => true,
    }
}

fn any_leaf(value: &Value, test: &Test) -> bool {
    match value {
        Value::Object(_) => false,
        Value::Array(items) => items.iter().any(|item| any_leaf(item, test)),
        value => test.holds(value),
    }
}
