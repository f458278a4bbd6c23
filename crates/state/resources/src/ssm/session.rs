//! Sessions: commands in containers that somebody talks to.

use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A session. Whoever asks for one writes it; the gateway of the agents brings both ends together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Owner.
    pub account: AccountId,
    /// `ecs-execute-command-` and 17 hexadecimal digits.
    pub id: String,
    /// Name of the task's cluster.
    pub cluster: String,
    /// Id of the task.
    pub task: String,
    /// Name of the container.
    pub container: String,
    /// Id the runtime gave the container.
    pub runtime_id: String,
    /// The command line.
    pub command: String,
    /// ARN of who asked for it.
    pub owner: String,
    /// Hash of the token that lets the client in.
    pub token_hash: String,
    /// Log group that its output goes to.
    pub log_group: Option<String>,
    /// Where it is in its life.
    pub status: SessionStatus,
    /// The agent was told of it.
    pub delivered: bool,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// Why it ended, where it did not end by itself.
    pub reason: String,
}

/// The life of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionStatus {
    /// Both ends may be there.
    Active,
    /// Somebody wants it ended.
    Terminating,
    /// Over.
    Ended,
}

impl Stored for Session {
    const TABLE: &'static str = "ssm/session";

    fn key(&self) -> String {
        self.id.clone()
    }
}

impl Session {
    /// What names the container to its agent.
    pub fn target(&self) -> String {
        format!("ecs:{}_{}_{}", self.cluster, self.task, self.runtime_id)
    }

    /// How a token is kept.
    pub fn hash_of(token: &str) -> String {
        Sha256::digest(token).iter().fold(String::with_capacity(64), |mut text, byte| {
            use std::fmt::Write;
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}
