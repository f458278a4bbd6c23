//! Settings of accounts and of their principals.

use crate::Stored;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// A setting that differs from the default. The one of the account's root is that of everybody without one of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSetting {
    /// Owner.
    pub account: AccountId,
    /// ARN of the user, the role or the root that it is for.
    pub principal_arn: String,
    /// Name, as the API writes it.
    pub name: String,
    /// Value, as the API writes it.
    pub value: String,
}

impl AccountSetting {
    /// Key of a setting of a principal.
    pub fn key_of(account: &AccountId, principal_arn: &str, name: &str) -> String {
        format!("{account}/{principal_arn}/{name}")
    }
}

impl Stored for AccountSetting {
    const TABLE: &'static str = "ecs/account-setting";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.principal_arn, &self.name)
    }
}
