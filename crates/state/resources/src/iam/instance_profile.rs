//! Instance profiles, which carry a role to an instance.

use super::{arn_of, key_of};
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// An instance profile.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstanceProfile {
    /// Owner.
    pub account: AccountId,
    /// Name, unique in the account.
    pub name: String,
    /// Path, with `/` at both ends.
    pub path: String,
    /// Unique id, beginning with `AIPA`.
    pub id: String,
    /// Name of the role in it; there is at most one.
    pub role: Option<String>,
    /// Tags.
    pub tags: Vec<(String, String)>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl InstanceProfile {
    /// Its ARN.
    pub fn arn(&self) -> String {
        arn_of(&self.account, "instance-profile", &self.path, &self.name)
    }
}

impl Stored for InstanceProfile {
    const TABLE: &'static str = "iam/instance-profile";

    fn key(&self) -> String {
        key_of(&self.account, &self.name)
    }
}
