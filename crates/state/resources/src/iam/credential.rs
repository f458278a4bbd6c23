//! Credentials of users other than access keys.

use crate::access::Secret;
use environment::Timestamp;
use serde::{Deserialize, Serialize};

/// A user's password, of which only a slow salted hash is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginProfile {
    /// The hash in PHC form, `$argon2id$...`.
    pub password_hash: Secret,
    /// Hashes of former passwords, newest first, as far as the account's policy forbids to use them again.
    #[serde(default)]
    pub former: Vec<Secret>,
    /// The user must set a new one at the next sign-in.
    pub reset_required: bool,
    /// When the profile was made.
    pub created_at: Timestamp,
    /// When the password was last set.
    pub changed_at: Timestamp,
}
