//! What became of copying an image to other registries.

use super::rows_of;
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// The copy of one image in one other registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageReplication {
    /// Owner of the image.
    pub account: AccountId,
    /// Repository.
    pub repository: String,
    /// Digest of the image.
    pub digest: String,
    /// Region of the other registry.
    pub region: String,
    /// Account of the other registry.
    pub destination: AccountId,
    /// How far it is.
    pub state: ReplicationState,
    /// Why it failed, or failed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Attempts so far.
    #[serde(default)]
    pub attempts: u32,
    /// When it came so far.
    pub updated_at: Timestamp,
}

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReplicationState {
    /// It is to be made.
    InProgress,
    /// It is there.
    Complete,
    /// It could not be made.
    Failed,
}

impl Stored for ImageReplication {
    const TABLE: &'static str = "ecr/replication";

    fn key(&self) -> String {
        let rows = rows_of(&self.account, &self.repository);
        format!("{rows}{}/{}/{}", self.digest, self.region, self.destination)
    }
}
