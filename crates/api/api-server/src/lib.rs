//! The listener and the one pipeline of a request: route, authenticate, decode, validate, authorize, dispatch, render.
//!
//! It knows services only as [`aws_wire::Service`] and other protocols only as [`HttpHandler`], so nothing here
//! changes when a service joins. Every answer has a request id; every body, header and wait is bounded.

mod audit;
mod authenticate;
mod authorize;
mod body;
mod errors;
mod limits;
mod listener;
mod pipeline;
mod respond;
mod route;

pub use audit::Audit;
pub use authenticate::Authenticator;
pub use limits::Limits;
pub use listener::{Listener, ListenerError, Running};
pub use pipeline::{ApiServer, Config, HttpHandler};
pub use respond::{Body, Response, full};
