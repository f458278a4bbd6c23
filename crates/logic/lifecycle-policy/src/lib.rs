//! Lifecycle policies of ECR: images and a policy in, what becomes of which image out. Pure.
//!
//! All rules look at all images, as if no other rule had done anything; then they act in the order of their priority.
//! An image that a rule's tags select is out of reach for the rules after it, even where that rule keeps it. Manifests
//! of an index stay as long as the index, and what refers to another image shares its fate.
//!
//! ```
//! use lifecycle_policy::LifecyclePolicy;
//!
//! let policy = LifecyclePolicy::parse(
//!     r#"{"rules": [{"rulePriority": 1, "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed",
//!         "countUnit": "days", "countNumber": 14}, "action": {"type": "expire"}}]}"#,
//! )?;
//! assert_eq!(policy.rules().len(), 1);
//! # Ok::<(), lifecycle_policy::NotAPolicy>(())
//! ```

mod candidate;
mod evaluate;
mod parse;
mod rule;
mod schema;

pub use candidate::{Candidate, candidates};
pub use evaluate::{Planned, evaluate};
pub use parse::NotAPolicy;
pub use rule::{Action, Count, LifecyclePolicy, Rule, TagSelection};
