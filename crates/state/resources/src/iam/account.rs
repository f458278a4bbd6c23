//! Settings of a whole account.

use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// Settings of an account; an account without a row has none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountSettings {
    /// The account.
    pub account: AccountId,
    /// Its other name.
    pub alias: Option<String>,
    /// What passwords must be like; without one, AWS's default.
    pub password_policy: Option<PasswordPolicy>,
}

/// An alias, which is unique in the region.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountAlias {
    /// The alias.
    pub alias: String,
    /// The account it names.
    pub account: AccountId,
}

/// What passwords of an account's users must be like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordPolicy {
    /// Fewest characters.
    pub minimum_length: u32,
    /// A symbol is needed.
    pub require_symbols: bool,
    /// A digit is needed.
    pub require_numbers: bool,
    /// An upper-case letter is needed.
    pub require_uppercase: bool,
    /// A lower-case letter is needed.
    pub require_lowercase: bool,
    /// Users may change their own password.
    pub users_may_change: bool,
    /// Days a password is good for.
    pub max_age_days: Option<u32>,
    /// How many former passwords must not be used again.
    pub reuse_prevention: Option<u32>,
    /// An expired password can be renewed by an administrator only.
    pub hard_expiry: Option<bool>,
}

impl Stored for AccountSettings {
    const TABLE: &'static str = "iam/account";

    fn key(&self) -> String {
        self.account.to_string()
    }
}

impl Stored for AccountAlias {
    const TABLE: &'static str = "iam/account-alias";

    fn key(&self) -> String {
        self.alias.clone()
    }
}

/// The credential report of an account, as it was last generated.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CredentialReport {
    /// The account.
    pub account: AccountId,
    /// The report, as CSV.
    pub content: String,
    /// When it was generated.
    pub generated_at: Timestamp,
}

impl Stored for CredentialReport {
    const TABLE: &'static str = "iam/credential-report";

    fn key(&self) -> String {
        self.account.to_string()
    }
}
