//! Who has a unique id.

use super::{Role, User};
use crate::Stored;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// Who has a unique id. Policies that name users and roles keep their ids, so that one made anew under an old name is
/// not meant; this is how they find back to the name. The row goes with its user or role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UniqueId {
    /// The id, beginning with `AIDA` or `AROA`.
    pub id: String,
    /// Owner.
    pub account: AccountId,
    /// Name of the user or role.
    pub name: String,
}

impl From<&User> for UniqueId {
    fn from(user: &User) -> Self {
        Self { id: user.id.clone(), account: user.account.clone(), name: user.name.clone() }
    }
}

impl From<&Role> for UniqueId {
    fn from(role: &Role) -> Self {
        Self { id: role.id.clone(), account: role.account.clone(), name: role.name.clone() }
    }
}

impl Stored for UniqueId {
    const TABLE: &'static str = "iam/unique-id";

    fn key(&self) -> String {
        self.id.clone()
    }
}
