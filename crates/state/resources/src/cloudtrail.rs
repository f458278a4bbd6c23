//! CloudTrail: trails, and how far each is delivered. The records themselves are in the audit log, not in rows.

use crate::Stored;
use environment::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A trail: the wish to have records delivered as files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trail {
    /// Owner.
    pub account: String,
    /// Its name, unique in the account.
    pub name: String,
    /// Another for every creation; part of the names of its files.
    pub id: String,
    /// Region it was made in.
    pub home_region: String,
    /// Where files go.
    pub bucket: String,
    /// What the names of files begin with.
    pub prefix: Option<String>,
    /// Whether events of IAM and STS are delivered.
    pub include_global_service_events: bool,
    /// Whether it was made for all regions.
    pub is_multi_region: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether records are being delivered.
    pub is_logging: bool,
    /// When delivery was started last.
    pub started_at: Option<Timestamp>,
    /// When delivery was stopped last.
    pub stopped_at: Option<Timestamp>,
    /// Which records are delivered; `None` for all management events.
    pub selectors: Option<Selectors>,
    /// Its tags; a tag may have no value.
    #[serde(default)]
    pub tags: BTreeMap<String, Option<String>>,
    /// How far it is delivered.
    #[serde(default)]
    pub delivery: Delivery,
}

/// How far a trail is delivered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Sequence number of the first record that is not delivered yet.
    pub next: u64,
    /// The file that is being written. It is named here before it is begun, so that a server that finds it after a
    /// crash writes the same file again and nothing twice.
    pub file: Option<PlannedFile>,
    /// When a file was delivered last.
    pub delivered_at: Option<Timestamp>,
    /// When delivery was tried last.
    pub attempted_at: Option<Timestamp>,
    /// Why the last try failed.
    pub error: Option<String>,
}

/// A file that is to hold the records of a range that the trail selects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFile {
    /// First sequence number.
    pub first: u64,
    /// The number after the last one.
    pub end: u64,
    /// The time in its name.
    pub at: Timestamp,
}

/// Which records a trail delivers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Selectors {
    /// Event selectors.
    Basic(Vec<BasicSelector>),
    /// Advanced event selectors.
    Advanced(Vec<AdvancedSelector>),
}

/// An event selector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BasicSelector {
    /// `All`, `ReadOnly` or `WriteOnly`.
    pub read_write: String,
    /// Whether management events are selected.
    pub management: bool,
    /// Services whose management events are not.
    #[serde(default)]
    pub excluded_sources: Vec<String>,
    /// Types of data resources, and the beginnings of their ARNs.
    #[serde(default)]
    pub data_resources: Vec<(String, Vec<String>)>,
}

/// An advanced event selector: a record must match every field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvancedSelector {
    /// Its name.
    pub name: Option<String>,
    /// What a record must have.
    pub fields: Vec<FieldSelector>,
}

/// What a field of a record must be; an empty list demands nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldSelector {
    /// The field, for example `eventName`.
    pub field: String,
    /// One of these.
    #[serde(default)]
    pub equals: Vec<String>,
    /// Begins with one of these.
    #[serde(default)]
    pub starts_with: Vec<String>,
    /// Ends with one of these.
    #[serde(default)]
    pub ends_with: Vec<String>,
    /// None of these.
    #[serde(default)]
    pub not_equals: Vec<String>,
    /// Begins with none of these.
    #[serde(default)]
    pub not_starts_with: Vec<String>,
    /// Ends with none of these.
    #[serde(default)]
    pub not_ends_with: Vec<String>,
}

impl Trail {
    /// The key of a trail.
    pub fn key_of(account: &str, name: &str) -> String {
        format!("{account}/{name}")
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:cloudtrail:{}:{}:trail/{}", self.home_region, self.account, self.name)
    }
}

impl Stored for Trail {
    const TABLE: &'static str = "cloudtrail/trail";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.name)
    }
}
