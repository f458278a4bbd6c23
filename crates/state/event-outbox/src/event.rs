//! An event, as rules see it.

use environment::Timestamp;
use identifiers::AccountId;
use serde_json::{Value, json};

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Whose it is.
    pub account: AccountId,
    /// UUID.
    pub id: String,
    /// Who sent it, for example `aws.ecs`.
    pub source: String,
    /// What it is about.
    pub detail_type: String,
    /// When it happened.
    pub time: Timestamp,
    /// Where.
    pub region: String,
    /// ARNs of what it is about.
    pub resources: Vec<String>,
    /// Everything else.
    pub detail: Value,
}

impl Event {
    /// The event as JSON.
    pub fn document(&self) -> Value {
        json!({
            "version": "0",
            "id": self.id,
            "detail-type": self.detail_type,
            "source": self.source,
            "account": self.account,
            "time": self.time.to_rfc3339_seconds(),
            "region": self.region,
            "resources": self.resources,
            "detail": self.detail,
        })
    }
}
