//! How often something was made in an account.

use crate::Stored;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// How often something was made in an account. Every creation writes it: of two that count what is there and find room
/// for one more, only one goes through.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Creations {
    /// The account.
    pub account: AccountId,
    /// What is made, by the name of its table.
    pub what: String,
    /// How often.
    pub number: u64,
}

impl Creations {
    /// The key of the row of what is made in an account.
    pub fn key_of(account: &AccountId, what: &str) -> String {
        format!("{account}/{what}")
    }
}

impl Stored for Creations {
    const TABLE: &'static str = "iam/creations";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.what)
    }
}
