//! From the value tree to typed input.

use crate::Node;
use base64::Engine;
use environment::Timestamp;
use std::collections::BTreeMap;

/// Why a value tree does not fit a type. Callers answer it with `SerializationException`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    /// The value has another type.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// What the model says.
        expected: &'static str,
        /// What was sent.
        found: &'static str,
    },
    /// An enum value the model does not know.
    #[error("unknown value {0:?}")]
    UnknownValue(String),
    /// A text that is not the number, time or base64 it should be.
    #[error("cannot read {text:?} as {expected}")]
    Unreadable {
        /// What the model says.
        expected: &'static str,
        /// What was sent.
        text: String,
    },
}

/// Types that read themselves from a validated [`Node`].
pub trait FromNode: Sized {
    /// Reads the value; absent members take their default.
    fn from_node(node: Node) -> Result<Self, DecodeError>;
}

impl Node {
    /// The name of the type, for error texts.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a string",
            Self::Blob(_) => "bytes",
            Self::List(_) => "a list",
            Self::Map(_) => "a structure",
        }
    }

    /// The members of a structure or map.
    pub fn into_members(self) -> Result<Vec<(String, Self)>, DecodeError> {
        match self {
            Self::Map(members) => Ok(members),
            other => Err(wrong("a structure", &other)),
        }
    }
}

fn wrong(expected: &'static str, node: &Node) -> DecodeError {
    DecodeError::WrongType { expected, found: node.type_name() }
}

fn unreadable(expected: &'static str, text: String) -> DecodeError {
    DecodeError::Unreadable { expected, text }
}

impl<T: FromNode> FromNode for Option<T> {
    fn from_node(node: Node) -> Result<Self, DecodeError> {
        match node {
            Node::Null => Ok(None),
            other => T::from_node(other).map(Some),
        }
    }
}

impl FromNode for String {
    fn from_node(node: Node) -> Result<Self, DecodeError> {
        match node {
            Node::Text(text) => Ok(text),
            other => Err(wrong("a string", &other)),
        }
    }
}

impl FromNode for bool {
    fn from_node(node: Node) -> Result<Self, DecodeError> {
        match node {
            Node::Bool(value) => Ok(value),
            Node::Text(text) => match text.as_str() {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(unreadable("a boolean", text)),
            },
            other => Err(wrong("a boolean", &other)),
        }
    }
}

impl FromNode for i64 {
    fn from_node(node: Node) -> Result<Self, DecodeError> {
        match node {
            Node::Integer(value) => Ok(value),
            // JSON writers of some languages send whole numbers as 5.0.
            Node::Float(value) if value.fract() == 0.0 && value.abs() < 9.0e15 => Ok(value as Self),
            Node::Float(value) => Err(unreadable("a whole number", value.to_string())),
            Node::Text(text) => text.parse().map_err(|_| unreadable("a whole number", text)),
            other => Err(wrong("a number", &other)),
        }
    }
}

impl FromNode for i32 {
    fn from_node(node: Node) -> Result<Self, DecodeError> {
        let wide = i64::from_node(node)?;
        Self::try_from(wide).map_err(|_| unreadable("a 32-bit number", wide.to_string()))
    }
}

impl FromNode for f64 {
    fn from_node(node: Node) -> Result<Self, DecodeError> {
        match node {
            Node::Integer(value) => Ok(value as Self),
            Node::Float(value) => Ok(value),
            Node::Text(text) => match text.as_str() {
                "NaN" => Ok(Self::NAN),
                "Infinity" => Ok(Self::INFINITY),
                "-Infinity" => Ok(Self::NEG_INFINITY),
                _ => text.parse().map_err(|_| unreadable("a number", text)),
            },
            other => Err(wrong("a number", &other)),
        }
    }
}

impl FromNode for Timestamp {
    fn from_node(node: Node) -> Result<Self, DecodeError> {
        match node {
            Node::Integer(seconds) => Ok(Self::from_seconds(seconds)),
            Node::Float(seconds) if seconds.is_finite() => {
                Ok(Self::from_millis((seconds * 1000.0).round() as i64))
            }
            Node::Text(text) => parse_time(&text).ok_or_else(|| unreadable("a timestamp", text)),
            other => Err(wrong("a timestamp", &other)),
        }
    }
}

fn parse_time(text: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(text)
        .or_else(|| httpdate::parse_http_date(text).ok().map(Timestamp::from_system))
        .or_else(|| {
            let seconds: f64 = text.parse().ok()?;
            seconds.is_finite().then(|| Timestamp::from_millis((seconds * 1000.0).round() as i64))
        })
}

impl FromNode for Vec<u8> {
    fn from_node(node: Node) -> Result<Self, DecodeError> {
        match node {
            Node::Blob(bytes) => Ok(bytes),
            Node::Text(text) => base64::engine::general_purpose::STANDARD
                .decode(&text)
                .map_err(|_| unreadable("base64", text)),
            other => Err(wrong("bytes", &other)),
        }
    }
}

/// Marks types that may be items of a list; bytes are a scalar of their own, so `u8` is not one.
pub trait ListItem: FromNode {}

impl<T: ListItem> FromNode for Vec<T> {
    fn from_node(node: Node) -> Result<Self, DecodeError> {
        match node {
            // A null item means nothing in any of our services and is left out, as AWS does.
            Node::List(items) => {
                items.into_iter().filter(|item| *item != Node::Null).map(T::from_node).collect()
            }
            other => Err(wrong("a list", &other)),
        }
    }
}

impl<T: FromNode> FromNode for BTreeMap<String, T> {
    fn from_node(node: Node) -> Result<Self, DecodeError> {
        node.into_members()?
            .into_iter()
            .filter(|(_, value)| *value != Node::Null)
            .map(|(key, value)| Ok((key, T::from_node(value)?)))
            .collect()
    }
}

impl ListItem for String {}
impl ListItem for bool {}
impl ListItem for i32 {}
impl ListItem for i64 {}
impl ListItem for f64 {}
impl ListItem for Timestamp {}
impl<T: ListItem> ListItem for Vec<T> {}
impl<T: FromNode> ListItem for BTreeMap<String, T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untyped_protocols_give_text() {
        assert_eq!(i32::from_node(Node::Text("5".into())), Ok(5));
        assert_eq!(bool::from_node(Node::Text("true".into())), Ok(true));
        assert!(i32::from_node(Node::Text("five".into())).is_err());
        assert_eq!(
            Timestamp::from_node(Node::Text("2024-01-02T03:04:05Z".into())),
            Ok(Timestamp::from_seconds(1_704_164_645))
        );
    }

    #[test]
    fn numbers_do_not_wrap() {
        assert!(i32::from_node(Node::Integer(1 << 40)).is_err());
        assert_eq!(i64::from_node(Node::Float(5.0)), Ok(5));
        assert!(i64::from_node(Node::Float(5.5)).is_err());
    }

    #[test]
    fn blobs_are_base64_text_or_bytes() {
        assert_eq!(Vec::<u8>::from_node(Node::Text("aGk=".into())), Ok(b"hi".to_vec()));
        assert!(Vec::<u8>::from_node(Node::Text("*".into())).is_err());
    }
}
