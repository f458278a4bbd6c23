//! Errors as AWS services answer them.

use crate::Node;
use std::borrow::Cow;

/// Who is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request; retrying it unchanged is useless.
    Sender,
    /// The service.
    Receiver,
}

/// An error of the API model, or one that all services share.
#[derive(Debug, PartialEq, Eq)]
pub struct ErrorShape {
    /// The shape's name, sent as `__type` in JSON.
    pub name: &'static str,
    /// The code in query protocols, where the model gives another than the name.
    pub query_code: Option<&'static str>,
    /// HTTP status.
    pub status: u16,
    /// Who is to blame.
    pub fault: Fault,
    /// Key of the message in JSON: `message` or `Message`, as the shape spells it.
    pub message_key: &'static str,
}

/// An error to answer a request with.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {message}", shape.name)]
pub struct ServiceError {
    /// Which error.
    pub shape: &'static ErrorShape,
    /// Text for the caller; holds no internals.
    pub message: Cow<'static, str>,
    /// Further members of the error shape.
    pub members: Vec<(&'static str, Node)>,
}

impl ServiceError {
    /// The error `shape` with a message.
    pub fn new(shape: &'static ErrorShape, message: impl Into<Cow<'static, str>>) -> Self {
        Self { shape, message: message.into(), members: Vec::new() }
    }

    /// Adds a further member of the error shape.
    pub fn with_member(mut self, name: &'static str, value: Node) -> Self {
        self.members.push((name, value));
        self
    }
}
