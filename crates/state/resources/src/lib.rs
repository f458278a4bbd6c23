//! Stored types of all services: what is wanted, what was last seen, and the lifecycles between; no I/O.
//!
//! These are neither wire shapes nor agent messages; conversions are written where they are needed.

pub mod access;
pub mod cloudtrail;
pub mod cloudwatch;
pub mod discovery;
pub mod ec2;
pub mod ecr;
pub mod ecs;
pub mod elb;
pub mod events;
pub mod iam;
pub mod logs;
pub mod scheduler;
pub mod sealed;
pub mod secrets;
pub mod ssm;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A type with a table of its own in the store.
pub trait Stored: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Name of the table, for example `ecs/task`. Two types never share one.
    const TABLE: &'static str;

    /// The key inside the table; parts are joined with `/`, so that a prefix of parts names a group.
    fn key(&self) -> String;
}
