//! Groups of users.

use super::{PrincipalPolicies, arn_of, key_of};
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// A group. Who is in it stands in the users' rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Group {
    /// Owner.
    pub account: AccountId,
    /// Name, unique in the account.
    pub name: String,
    /// Path, with `/` at both ends.
    pub path: String,
    /// Unique id, beginning with `AGPA`.
    pub id: String,
    /// Policies of everybody in it.
    pub policies: PrincipalPolicies,
    /// How many users are in it.
    pub members: u32,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Group {
    /// Its ARN.
    pub fn arn(&self) -> String {
        arn_of(&self.account, "group", &self.path, &self.name)
    }
}

impl Stored for Group {
    const TABLE: &'static str = "iam/group";

    fn key(&self) -> String {
        key_of(&self.account, &self.name)
    }
}
