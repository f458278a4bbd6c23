//! Roles.

use super::{PrincipalPolicies, arn_of, key_of};
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// A role.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Role {
    /// Owner.
    pub account: AccountId,
    /// Name, unique in the account.
    pub name: String,
    /// Path, with `/` at both ends.
    pub path: String,
    /// Unique id, beginning with `AROA`.
    pub id: String,
    /// What it is for.
    pub description: Option<String>,
    /// Document that says who may assume it.
    pub trust_policy: String,
    /// Longest session, in seconds.
    pub max_session_seconds: u32,
    /// Its identity policies.
    pub policies: PrincipalPolicies,
    /// ARN of the managed policy that bounds its permissions.
    pub boundary: Option<String>,
    /// Names of the instance profiles it is in.
    pub instance_profiles: Vec<String>,
    /// The service that a service-linked role belongs to, for example `ecs.amazonaws.com`.
    pub linked_service: Option<String>,
    /// Tags.
    pub tags: Vec<(String, String)>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// When a role was last used. A row of its own, so that using a role does not change the role.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoleUse {
    /// Owner of the role.
    pub account: AccountId,
    /// Unique id of the role.
    pub role_id: String,
    /// When.
    pub used_at: Timestamp,
    /// In which region.
    pub region: String,
}

/// The deletion of a service-linked role, which AWS answers with a task to ask after.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoleDeletion {
    /// Owner.
    pub account: AccountId,
    /// Id of the task, `task/aws-service-role/SERVICE/ROLE/UUID`.
    pub task_id: String,
    /// When it was asked for and done.
    pub deleted_at: Timestamp,
}

impl Role {
    /// Its ARN.
    pub fn arn(&self) -> String {
        arn_of(&self.account, "role", &self.path, &self.name)
    }
}

impl RoleUse {
    /// Key of the use of a role.
    pub fn key_of(account: &AccountId, role_id: &str) -> String {
        format!("{account}/{role_id}")
    }
}

impl Stored for Role {
    const TABLE: &'static str = "iam/role";

    fn key(&self) -> String {
        key_of(&self.account, &self.name)
    }
}

impl Stored for RoleUse {
    const TABLE: &'static str = "iam/role-use";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.role_id)
    }
}

impl Stored for RoleDeletion {
    const TABLE: &'static str = "iam/role-deletion";

    fn key(&self) -> String {
        format!("{}/{}", self.account, self.task_id)
    }
}
