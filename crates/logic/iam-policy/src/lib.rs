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
//!
//! ```
//! use iam_policy::{Context, Policies, Policy, PolicyKind, Principal, Request, Source, evaluate};
//!
//! let document = r#"{"Version": "2012-10-17", "Statement": [
//!     {"Sid": "Own", "Effect": "Allow", "Action": "iam:Get*", "Resource": "arn:aws:iam::*:user/${aws:username}"}
//! ]}"#;
//! let policy = Policy::parse(document, PolicyKind::Identity)?;
//! let identity = [Source { id: "own".into(), policy: policy.into() }];
//! let ann = Principal::User {
//!     account: "123456789012".parse()?,
//!     arn: "arn:aws:iam::123456789012:user/ann".to_owned(),
//!     unique_id: "AIDAEXAMPLEEXAMPLE12".to_owned(),
//! };
//! let mut context = Context::new();
//! ann.describe(&mut context);
//! let policies = Policies { identity: &identity, ..Policies::default() };
//! let ask = |resource| {
//!     let request = Request { principal: &ann, action: "iam:GetUser", resource, context: &context };
//!     evaluate(&request, &policies)
//! };
//! assert!(ask("arn:aws:iam::123456789012:user/ann").is_allowed());
//! let denied = ask("arn:aws:iam::123456789012:user/bob");
//! assert_eq!(denied.denial_reason("iam:GetUser"), "because no identity-based policy allows the iam:GetUser action");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
mod principal;
mod principal_clause;
mod rename;
mod statement;
mod syntax;
mod template;
mod validate;

pub use context::Context;
pub use decision::{Decision, Effect, PolicyType, StatementRef};
pub use evaluate::{Policies, Request, Source, evaluate, matching_statements};
pub use malformed::MalformedPolicy;
pub use policy::{Policy, PolicyKind};
pub use principal::Principal;
pub use rename::rename_principals;
