//! What happened in a registry, kept for those who want to be told.

use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// Events kept of one account; older ones are dropped.
pub const EVENTS_KEPT: usize = 10_000;

/// Something that happened in the registry of an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Owner of the registry.
    pub account: AccountId,
    /// Unique id.
    pub id: String,
    /// When it happened.
    pub time: Timestamp,
    /// Repository.
    pub repository: String,
    /// Digest of the image.
    pub digest: String,
    /// Tag of the image, where the request named it by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum EventKind {
    /// Somebody did something with an image.
    Image {
        /// What.
        action: ImageAction,
        /// Media type of the manifest.
        media_type: String,
        /// Artifact type.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        artifact_type: Option<String>,
    },
    /// It was pulled, this often since the event before.
    Pull {
        /// Pulls.
        count: u64,
    },
    /// It was scanned.
    Scan {
        /// `COMPLETE` or `FAILED`.
        status: String,
        /// Findings by severity.
        findings: Vec<(String, u64)>,
    },
    /// It was copied to another registry.
    Replication {
        /// Region of the other registry.
        region: String,
        /// Account of the other registry.
        destination: AccountId,
        /// Why it could not be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<String>,
    },
    /// It came from another registry.
    PullThroughCache {
        /// Host of the other registry.
        upstream: String,
        /// Why it could not be had.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<String>,
    },
}

/// What can be done with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ImageAction {
    /// Pushed, or given another tag.
    Push,
    /// Deleted, or a tag taken off.
    Delete,
    /// Moved into the archive.
    Archive,
    /// Brought back from it.
    Activate,
}

impl Stored for Event {
    const TABLE: &'static str = "ecr/event";

    /// In the order of time.
    fn key(&self) -> String {
        format!("{}/{:015}/{}", self.account, self.time.as_millis(), self.id)
    }
}
