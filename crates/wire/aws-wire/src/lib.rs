//! AWS wire protocols in one neutral form; knows no service.
//!
//! A request travels bytes → [`Node`] (by its protocol's reader) → validation against the static [`schema`] →
//! the generated input type ([`FromNode`]). An answer travels from the generated output type ([`ToWire`]) into the
//! protocol's [`Writer`]. One set of generated types therefore serves every protocol, and a new protocol joins
//! without touching a service. The generated types live in the service crates, never here.

pub mod authorization;
mod decode;
mod document;
mod encode;
mod error;
mod node;
mod operations;
mod page;
mod protocol;
pub mod schema;
mod service;
pub mod sigv4;
mod validate;

pub use authorization::Permission;
pub use decode::{DecodeError, FromNode, ListItem as ReadItem};
pub use document::Document;
pub use encode::{ListItem as WriteItem, ToWire, Writer, write_member};
// Part of the request context, so services need no crate of their own for it.
pub use http::Extensions;

pub use error::{ErrorShape, Fault, ServiceError};
pub use node::Node;
pub use page::Page;
pub use protocol::{Encoded, Protocol, ReadError, cbor, json, rest_json};
pub use service::{Answer, Operation, RequestContext, Service, ServiceDefinition};
pub use validate::{BrokenConstraints, Violation, pattern_is_checked, validate};
