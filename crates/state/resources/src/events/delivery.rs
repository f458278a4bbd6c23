//! What is on its way to a target.

use super::Target;
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// Something that a target is to get. The row is made with the acceptance of the event and goes when the target has
/// taken it, or when it is given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Unique; the first characters are the time, so that rows are in its order.
    pub id: String,
    /// Whose it is.
    pub account: AccountId,
    /// Who calls the target.
    pub sender: Sender,
    /// ARN of the rule or the schedule.
    pub source_arn: String,
    /// Name of the rule or the schedule.
    pub source_name: String,
    /// The target as it was when the event came.
    pub target: Target,
    /// What is sent.
    pub input: String,
    /// Id of the event.
    pub event_id: String,
    /// When the event came.
    pub accepted_at: Timestamp,
    /// Attempts that failed.
    #[serde(default)]
    pub attempts: u32,
    /// No attempt is made before.
    pub next_at: Timestamp,
    /// Why the last attempt failed.
    #[serde(default)]
    pub failure: Option<String>,
}

/// Which service calls a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sender {
    /// A rule of EventBridge.
    Rule,
    /// A schedule of EventBridge Scheduler.
    Schedule,
}

impl Sender {
    /// The service as trust policies name it.
    pub const fn principal(self) -> &'static str {
        match self {
            Self::Rule => "events.amazonaws.com",
            Self::Schedule => "scheduler.amazonaws.com",
        }
    }
}

impl Stored for Delivery {
    const TABLE: &'static str = "events/delivery";

    fn key(&self) -> String {
        self.id.clone()
    }
}
