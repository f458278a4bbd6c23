//! Access keys and the secrets of the region itself.

use crate::Stored;
use crate::sealed::{SealedText, Sealing};
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroize;

/// A secret text. Its `Debug` form does not show it, so it cannot end up in a log by accident; its memory is
/// overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself; name the reason at the call.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// An account of the region beside the one it was started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Stored for Account {
    const TABLE: &'static str = "access/account";

    fn key(&self) -> String {
        self.id.to_string()
    }
}

/// An access key and whom it speaks for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccessKey {
    /// 20 characters that begin with `AKIA`.
    pub access_key_id: String,
    /// Its secret of 40 characters, sealed under a key of the region.
    pub sealed: SealedText,
    /// The account it acts in.
    pub account: AccountId,
    /// ARN of the principal, for example `arn:aws:iam::123456789012:root`.
    pub principal_arn: String,
    /// Unique id of the principal; of the root, the account.
    pub principal_id: String,
    /// Inactive keys authenticate nobody.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Name of the IAM user it belongs to; `None` for the keys of an account's root and of the region's own host.
    #[serde(default)]
    pub user: Option<String>,
}

/// When an access key was last used. A row of its own, so that using a key does not change the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyUse {
    /// The key.
    pub access_key_id: String,
    /// When.
    pub used_at: Timestamp,
    /// The service that was called, as signatures name it: `ecs`.
    pub service: String,
    /// The region that was called.
    pub region: String,
}

impl Stored for KeyUse {
    const TABLE: &'static str = "access/key-use";

    fn key(&self) -> String {
        self.access_key_id.clone()
    }
}

/// An access key as stores hold it that were written before secrets were sealed. A region makes them into
/// [`AccessKey`]s when it starts, and writes none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClearAccessKey {
    /// 20 characters that begin with `AKIA`.
    pub access_key_id: String,
    /// The secret, in the clear.
    pub secret: Secret,
    /// The account it acts in.
    pub account: AccountId,
    /// ARN of the principal.
    pub principal_arn: String,
    /// Unique id of the principal.
    pub principal_id: String,
    /// Inactive keys authenticate nobody.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Name of the IAM user it belongs to.
    #[serde(default)]
    pub user: Option<String>,
}

impl AccessKey {
    /// What the secret of a key is sealed for.
    pub fn purpose_of(access_key_id: &str) -> String {
        format!("access-key/{access_key_id}")
    }
}

impl Stored for AccessKey {
    const TABLE: &'static str = "access/access-key";

    fn key(&self) -> String {
        self.access_key_id.clone()
    }
}

impl Sealing for AccessKey {
    fn purpose(&self) -> String {
        Self::purpose_of(&self.access_key_id)
    }

    fn sealed(&self) -> &SealedText {
        &self.sealed
    }

    fn with_sealed(&self, sealed: SealedText) -> Self {
        Self { sealed, ..self.clone() }
    }
}

impl Stored for ClearAccessKey {
    const TABLE: &'static str = "access/key";

    fn key(&self) -> String {
        self.access_key_id.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        assert!(!format!("{:?}", Some(Secret::new("hunter2"))).contains("hunter2"));
    }
}
