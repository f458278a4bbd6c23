//! Users.

use super::{LoginProfile, PrincipalPolicies, arn_of, key_of};
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// A user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct User {
    /// Owner.
    pub account: AccountId,
    /// Name, unique in the account.
    pub name: String,
    /// Path, with `/` at both ends.
    pub path: String,
    /// Unique id, beginning with `AIDA`.
    pub id: String,
    /// Names of the groups it is in, in the order it joined.
    pub groups: Vec<String>,
    /// Its identity policies.
    pub policies: PrincipalPolicies,
    /// ARN of the managed policy that bounds its permissions.
    pub boundary: Option<String>,
    /// Ids of its access keys.
    pub access_keys: Vec<String>,
    /// Serial numbers of the MFA devices that are enabled for it, in the order they were.
    #[serde(default)]
    pub mfa_devices: Vec<String>,
    /// Its password.
    pub login_profile: Option<LoginProfile>,
    /// Tags.
    pub tags: Vec<(String, String)>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl User {
    /// Its ARN.
    pub fn arn(&self) -> String {
        arn_of(&self.account, "user", &self.path, &self.name)
    }
}

impl Stored for User {
    const TABLE: &'static str = "iam/user";

    fn key(&self) -> String {
        key_of(&self.account, &self.name)
    }
}
