//! How far what happened in the region has been announced as events.

use crate::Stored;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// Up to which revision of the store the changes of a table have been announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The table.
    pub table: String,
    /// The revision.
    pub revision: u64,
}

/// What has been announced of a service of ECS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnouncedService {
    /// Key of the service.
    pub service: String,
    /// Owner.
    #[serde(default)]
    pub account: Option<AccountId>,
    /// It was steady.
    pub steady: bool,
    /// Tasks that were wanted.
    pub desired_count: u32,
    /// Id and state of its deployments.
    pub deployments: Vec<(String, String)>,
    /// What it had been told of.
    pub notices: Vec<String>,
}

impl Stored for Position {
    const TABLE: &'static str = "events/position";

    fn key(&self) -> String {
        self.table.clone()
    }
}

impl Stored for AnnouncedService {
    const TABLE: &'static str = "events/announced-service";

    fn key(&self) -> String {
        self.service.clone()
    }
}
