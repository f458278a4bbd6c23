//! Credentials of users other than access keys.

use super::{User, key_of};
use crate::Stored;
use crate::access::Secret;
use environment::Timestamp;
use identifiers::AccountId;
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

/// A certificate a user signs SOAP requests of EC2 with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningCertificate {
    /// Owner.
    pub account: AccountId,
    /// The user it belongs to.
    pub user: String,
    /// Its id.
    pub id: String,
    /// The certificate in PEM.
    pub body: String,
    /// Whether it may be used.
    pub active: bool,
    /// When it was uploaded.
    pub uploaded_at: Timestamp,
}

impl SigningCertificate {
    /// Prefix of the keys of a user's certificates.
    pub fn rows_of(user: &User) -> String {
        format!("{}/", key_of(&user.account, &user.name))
    }
}

impl Stored for SigningCertificate {
    const TABLE: &'static str = "iam/signing-certificate";

    fn key(&self) -> String {
        format!("{}/{}", key_of(&self.account, &self.user), self.id)
    }
}

/// A public key of SSH, with which a user shows itself to CodeCommit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshPublicKey {
    /// Owner.
    pub account: AccountId,
    /// The user it belongs to.
    pub user: String,
    /// Its id, beginning with `APKA`.
    pub id: String,
    /// The key as it was uploaded.
    pub body: String,
    /// The MD5 of the key.
    pub fingerprint: String,
    /// Whether it may be used.
    pub active: bool,
    /// When it was uploaded.
    pub uploaded_at: Timestamp,
}

impl SshPublicKey {
    /// Prefix of the keys of a user's public keys.
    pub fn rows_of(user: &User) -> String {
        format!("{}/", key_of(&user.account, &user.name))
    }
}

impl Stored for SshPublicKey {
    const TABLE: &'static str = "iam/ssh-public-key";

    fn key(&self) -> String {
        format!("{}/{}", key_of(&self.account, &self.user), self.id)
    }
}
