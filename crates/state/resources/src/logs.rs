//! CloudWatch Logs: groups, streams, and the names of the blocks that hold events.
//!
//! Events themselves are never rows. They lie in the region's journal first and in blocks of one stream later; a
//! block's name says what is in it, so that finding events and dropping old ones opens no file.

use crate::Stored;
use environment::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Folder of the journal: segments that take the events of all streams as they arrive.
pub const JOURNAL_FOLDER: &str = "logs/journal";
/// Folder of the blocks; below it one folder per stream id.
pub const STREAMS_FOLDER: &str = "logs/streams";

/// A log group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogGroup {
    /// Owner.
    pub account: String,
    /// Its name, unique in the account.
    pub name: String,
    /// Another for every creation, so that a group made anew under an old name finds none of the old streams.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Days after which events go; `None` keeps them for ever.
    pub retention_in_days: Option<i32>,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Bytes of events in blocks; those still in the journal are counted when they move.
    #[serde(default)]
    pub stored_bytes: i64,
}

impl LogGroup {
    /// The key of a group.
    pub fn key_of(account: &str, name: &str) -> String {
        format!("{account}/{name}")
    }

    /// Events before this have expired at `now`.
    pub fn expired_before(&self, now: Timestamp) -> Option<Timestamp> {
        let days = u64::try_from(self.retention_in_days?).ok()?;
        Some(now - std::time::Duration::from_secs(days * 24 * 3600))
    }
}

impl Stored for LogGroup {
    const TABLE: &'static str = "logs/group";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.name)
    }
}

/// A log stream. Its times and size lag behind while events are only in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogStream {
    /// Owner.
    pub account: String,
    /// Id of its group.
    pub group_id: String,
    /// Name of its group.
    pub group_name: String,
    /// Its name, unique in the group.
    pub name: String,
    /// Folder of its blocks, and its name in the journal: 16 hexadecimal digits.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Time of the earliest event.
    pub first_event: Option<Timestamp>,
    /// Time of the latest event.
    pub last_event: Option<Timestamp>,
    /// When the newest event arrived.
    pub last_ingestion: Option<Timestamp>,
}

impl LogStream {
    /// The key of a stream.
    pub fn key_of(account: &str, group_id: &str, name: &str) -> String {
        format!("{account}/{group_id}/{name}")
    }
}

impl Stored for LogStream {
    const TABLE: &'static str = "logs/stream";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.group_id, &self.name)
    }
}

/// A resource policy of an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResourcePolicy {
    /// Owner.
    pub account: String,
    /// Its name, unique in the account.
    pub name: String,
    /// The policy, with users and roles by their unique ids.
    pub document: String,
    /// When it was put.
    pub updated_at: Timestamp,
}

impl ResourcePolicy {
    /// The key of a policy.
    pub fn key_of(account: &str, name: &str) -> String {
        format!("{account}/{name}")
    }
}

impl Stored for ResourcePolicy {
    const TABLE: &'static str = "logs/resource-policy";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.name)
    }
}

/// A metric filter: what events of a group become samples of a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricFilter {
    /// Owner.
    pub account: String,
    /// Id of its group.
    pub group_id: String,
    /// Name of its group.
    pub group_name: String,
    /// Its name, unique in the group.
    pub name: String,
    /// Which events it wants.
    pub pattern: String,
    /// Namespace of the metric.
    pub metric_namespace: String,
    /// Name of the metric.
    pub metric_name: String,
    /// What an event adds: a number, or the field that holds one.
    pub metric_value: String,
    /// What a minute with events, none of them wanted, adds.
    pub default_value: Option<f64>,
    /// Dimensions of the metric, and the fields that hold their values.
    #[serde(default)]
    pub dimensions: BTreeMap<String, String>,
    /// Unit of the metric.
    pub unit: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl MetricFilter {
    /// The key of a filter.
    pub fn key_of(account: &str, group_id: &str, name: &str) -> String {
        format!("{account}/{group_id}/{name}")
    }
}

impl Stored for MetricFilter {
    const TABLE: &'static str = "logs/metric-filter";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.group_id, &self.name)
    }
}

/// A query of Logs Insights that is kept under a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueryDefinition {
    /// Owner.
    pub account: String,
    /// Its id.
    pub id: String,
    /// Its name; several may have the same.
    pub name: String,
    /// The query.
    pub text: String,
    /// Groups that it is meant for.
    #[serde(default)]
    pub groups: Vec<String>,
    /// What the client that made it told to be sure that it is made once.
    #[serde(default)]
    pub token: Option<String>,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

impl QueryDefinition {
    /// The key of a definition.
    pub fn key_of(account: &str, id: &str) -> String {
        format!("{account}/{id}")
    }
}

impl Stored for QueryDefinition {
    const TABLE: &'static str = "logs/query-definition";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.id)
    }
}

/// The name of a block: the journal segment it came from, the time of its first and last event, and its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockName {
    /// Number of the journal segment.
    pub segment: u64,
    /// Time of the earliest event.
    pub first: Timestamp,
    /// Time of the latest event.
    pub last: Timestamp,
    /// Bytes of its events as CloudWatch counts them.
    pub bytes: u64,
}

/// Why a text names no block.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not the name of a block: {0:?}")]
pub struct BlockNameError(pub String);

impl fmt::Display for BlockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.first.as_millis(), self.last.as_millis());
        write!(f, "{:016x}-{first:x}-{last:x}-{:x}", self.segment, self.bytes)
    }
}

impl FromStr for BlockName {
    type Err = BlockNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || BlockNameError(text.to_owned());
        let mut parts = text.split('-').map(|part| u64::from_str_radix(part, 16));
        let mut next = || parts.next().and_then(Result::ok).ok_or_else(error);
        let (segment, first, last, bytes) = (next()?, next()?, next()?, next()?);
        let time = |millis: u64| i64::try_from(millis).map(Timestamp::from_millis).map_err(|_| error());
        Ok(Self { segment, first: time(first)?, last: time(last)?, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_names_tell_what_they_hold() {
        let name = BlockName {
            segment: 7,
            first: Timestamp::from_millis(1_700_000_000_000),
            last: Timestamp::from_millis(1_700_000_000_999),
            bytes: 4096,
        };
        assert_eq!(name.to_string().parse(), Ok(name));
        for bad in ["", "7", "7-1-2", "x-1-2-3", "7-1-2-3z", "7-ffffffffffffffff-2-3"] {
            assert!(bad.parse::<BlockName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn retention_counts_in_days() {
        let group = LogGroup {
            account: "1".to_owned(),
            name: "g".to_owned(),
            id: "i".to_owned(),
            created_at: Timestamp::from_seconds(0),
            retention_in_days: Some(1),
            tags: BTreeMap::new(),
            stored_bytes: 0,
        };
        assert_eq!(group.expired_before(Timestamp::from_seconds(86_401)), Some(Timestamp::from_seconds(1)));
    }
}
