//! EventBridge Scheduler: groups and schedules.

use crate::Stored;
use crate::events::Target;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// The group that every account has.
pub const DEFAULT_GROUP: &str = "default";

/// A group of schedules. The default one has a row only once it has tags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleGroup {
    /// Owner.
    pub account: AccountId,
    /// Name.
    pub name: String,
    /// Tags.
    #[serde(default)]
    pub tags: Vec<(String, String)>,
    /// It goes with all its schedules.
    #[serde(default)]
    pub deleting: bool,
    /// Token of the request that made it.
    #[serde(default)]
    pub client_token: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub modified_at: Timestamp,
}

/// A schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Owner.
    pub account: AccountId,
    /// Name of its group.
    pub group: String,
    /// Name, unique in its group.
    pub name: String,
    /// When it calls, as given.
    pub expression: String,
    /// Time zone of the expression, as given.
    #[serde(default)]
    pub zone: Option<String>,
    /// Not before.
    #[serde(default)]
    pub start: Option<Timestamp>,
    /// Not after.
    #[serde(default)]
    pub end: Option<Timestamp>,
    /// Minutes within which it calls, where that is flexible.
    #[serde(default)]
    pub window: Option<u32>,
    /// It is deleted after its last call.
    pub delete_after: bool,
    /// Whether it calls.
    pub enabled: bool,
    /// Description.
    #[serde(default)]
    pub description: Option<String>,
    /// What it calls, with the role and the input.
    pub target: Target,
    /// Token of the request that made it.
    #[serde(default)]
    pub client_token: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub modified_at: Timestamp,
    /// Since when its times count: it was made, changed or enabled then.
    pub scheduled_from: Timestamp,
    /// The last time that was acted upon.
    #[serde(default)]
    pub fired: Option<Timestamp>,
}

impl Schedule {
    /// Key of a schedule.
    pub fn key_of(account: &AccountId, group: &str, name: &str) -> String {
        format!("{account}/{group}/{name}")
    }
}

impl Stored for ScheduleGroup {
    const TABLE: &'static str = "scheduler/group";

    fn key(&self) -> String {
        format!("{}/{}", self.account, self.name)
    }
}

impl Stored for Schedule {
    const TABLE: &'static str = "scheduler/schedule";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.group, &self.name)
    }
}
