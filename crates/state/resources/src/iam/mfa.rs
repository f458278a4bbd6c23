//! Virtual MFA devices: a seed that a phone has, too, and the codes of which nobody else can make.

use super::{arn_of, key_of};
use crate::Stored;
use crate::sealed::{SealedText, Sealing};
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// A virtual MFA device.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MfaDevice {
    /// Owner.
    pub account: AccountId,
    /// Name, unique in the account together with the path.
    pub name: String,
    /// Path, with `/` at both ends.
    pub path: String,
    /// The seed of its codes, sealed under a key of the region.
    pub sealed: SealedText,
    /// Whose it is; nobody's until it is enabled.
    pub user: Option<MfaUser>,
    /// How many steps of 30 seconds its clock is ahead.
    pub drift: i64,
    /// The last step of which a code was taken: no code is taken twice.
    pub last_step: u64,
    /// Wrong codes since the last right one.
    pub wrong: u32,
    /// When the last wrong one was shown.
    pub wrong_at: Timestamp,
    /// Tags.
    pub tags: Vec<(String, String)>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Whose an MFA device is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MfaUser {
    /// Unique id of the user.
    pub id: String,
    /// When it was enabled for the user.
    pub enabled_at: Timestamp,
}

impl MfaDevice {
    /// Its ARN, which is its serial number.
    pub fn arn(&self) -> String {
        arn_of(&self.account, "mfa", &self.path, &self.name)
    }

    /// Key of the device with a serial number, if it is one of the account. Compare the serial number of the row found
    /// with it before relying on it: the case of letters does not count here.
    pub fn key_of(account: &AccountId, serial: &str) -> Option<String> {
        let rest = serial.strip_prefix("arn:aws:iam::")?.strip_prefix(account.as_str())?;
        Some(key_of(account, rest.strip_prefix(":mfa/")?))
    }
}

impl Stored for MfaDevice {
    const TABLE: &'static str = "iam/mfa-device";

    fn key(&self) -> String {
        key_of(&self.account, &format!("{}{}", self.path.trim_start_matches('/'), self.name))
    }
}

impl Sealing for MfaDevice {
    fn purpose(&self) -> String {
        format!("mfa-device/{}/{}", self.key(), self.created_at.as_seconds())
    }

    fn sealed(&self) -> &SealedText {
        &self.sealed
    }

    fn with_sealed(&self, sealed: SealedText) -> Self {
        Self { sealed, ..self.clone() }
    }
}
