//! The IAM policy language: policies and a request in, a decision with its reason out.
//!
//! [`Policy::parse`] checks a document with the messages of AWS and compiles it; [`evaluate`] decides a [`Request`]
//! against all the [`Policies`] that apply to it, and the [`Decision`] says which statement of which policy decided
//! or which kind of policy lacked an allow.
//!
//! This crate does no I/O, reads no clock and never fails while it evaluates: what does not fit does not match.
//! Time, addresses, tags and whatever else a condition may ask for come in the [`Context`]. Quotas of the IAM API
//! (how long a managed policy may be, whether a principal exists) are the API's; service control policies are not
//! part of it.

mod action;
mod arn;
mod condition;
mod context;
mod decision;
mod document;
mod evaluate;
mod malformed;
mod pattern;
mod policy;
mod position;
mod principal;
mod principal_clause;
mod statement;
mod syntax;
mod template;
mod validate;

pub use context::Context;
pub use decision::{Decision, Effect, PolicyType, StatementRef};
pub use evaluate::{Policies, Request, Source, evaluate, matching_statements};
pub use malformed::MalformedPolicy;
pub use policy::{Policy, PolicyKind};
pub use position::{Position, Span, statement_spans};
pub use principal::Principal;
