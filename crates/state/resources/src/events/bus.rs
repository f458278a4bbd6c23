//! Event buses.

use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// The bus that every account has, and that services send their events to.
pub const DEFAULT_BUS: &str = "default";

/// An event bus. The default bus has a row only once something is said about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventBus {
    /// Owner.
    pub account: AccountId,
    /// Name.
    pub name: String,
    /// Description.
    #[serde(default)]
    pub description: Option<String>,
    /// Tags.
    #[serde(default)]
    pub tags: Vec<(String, String)>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub modified_at: Timestamp,
}

impl Stored for EventBus {
    const TABLE: &'static str = "events/bus";

    fn key(&self) -> String {
        format!("{}/{}", self.account, self.name)
    }
}
