//! Policies: those of a principal, and managed ones with their versions.

use super::{arn_of, key_of};
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The identity policies of a user, group or role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrincipalPolicies {
    /// Documents of inline policies by name.
    pub inline: BTreeMap<String, String>,
    /// ARNs of attached managed policies, in the order they were attached.
    pub attached: Vec<String>,
}

/// A customer's managed policy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ManagedPolicy {
    /// Owner.
    pub account: AccountId,
    /// Name, unique in the account.
    pub name: String,
    /// Path, with `/` at both ends.
    pub path: String,
    /// Unique id, beginning with `ANPA`.
    pub id: String,
    /// What it is for.
    pub description: Option<String>,
    /// The versions kept, oldest first; at most five.
    pub versions: Vec<PolicyVersion>,
    /// Number of the version that is in force.
    pub default_version: u32,
    /// Number the next version gets; numbers are never used twice.
    pub next_version: u32,
    /// Tags.
    pub tags: Vec<(String, String)>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a version of it was last made or put in force.
    pub updated_at: Timestamp,
}

/// One version of a managed policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyVersion {
    /// Its number; version 3 is called `v3`.
    pub number: u32,
    /// The document.
    pub document: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// How often an account uses a managed policy, its own or AWS's. There is no row for what is not used. It is written
/// together with the principal, so that a policy in use cannot be deleted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PolicyUse {
    /// The account that uses it.
    pub account: AccountId,
    /// The policy.
    pub policy_arn: String,
    /// Principals it is attached to.
    pub attachments: u32,
    /// Principals it is the boundary of.
    pub boundaries: u32,
}

impl ManagedPolicy {
    /// Its ARN.
    pub fn arn(&self) -> String {
        arn_of(&self.account, "policy", &self.path, &self.name)
    }

    /// The version that is in force.
    pub fn in_force(&self) -> Option<&PolicyVersion> {
        self.version(self.default_version)
    }

    /// A version by its number.
    pub fn version(&self, number: u32) -> Option<&PolicyVersion> {
        self.versions.iter().find(|version| version.number == number)
    }
}

impl PolicyUse {
    /// Key of an account's use of a policy.
    pub fn key_of(account: &AccountId, policy_arn: &str) -> String {
        format!("{account}/{policy_arn}")
    }
}

impl Stored for ManagedPolicy {
    const TABLE: &'static str = "iam/policy";

    fn key(&self) -> String {
        key_of(&self.account, &self.name)
    }
}

impl Stored for PolicyUse {
    const TABLE: &'static str = "iam/policy-use";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.policy_arn)
    }
}
