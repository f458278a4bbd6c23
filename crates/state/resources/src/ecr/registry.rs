//! Settings of an account's registry.

use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is set for the registry of an account. There is no row before something is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    /// Owner.
    pub account: AccountId,
    /// What other accounts may do in the whole registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Where images are copied to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replication: Vec<ReplicationRule>,
    /// Account settings by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// How images are scanned; as usual where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scanning: Option<RegistryScanning>,
    /// Principals whose pulls are not recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pull_time_exclusions: Vec<PullTimeExclusion>,
    /// What the public registry is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// Images that are pushed go to other registries too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicationRule {
    /// Where to.
    pub destinations: Vec<ReplicationDestination>,
    /// What names of repositories begin with, one of them; all repositories when there is none.
    pub prefixes: Vec<String>,
}

/// A registry that images are copied to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicationDestination {
    /// The region.
    pub region: String,
    /// The account.
    pub account: AccountId,
}

/// How the images of a registry are scanned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryScanning {
    /// What is looked at.
    pub scan_type: ScanType,
    /// Which repositories are scanned, and how often.
    pub rules: Vec<ScanningRule>,
}

/// What a scan looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ScanType {
    /// Packages of the operating system.
    #[default]
    Basic,
    /// Packages of programming languages, too.
    Enhanced,
}

/// How often some repositories are scanned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanningRule {
    /// How often.
    pub frequency: ScanFrequency,
    /// Patterns of names, of which one is to match.
    pub filters: Vec<String>,
}

/// How often images are scanned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ScanFrequency {
    /// Once, when they are pushed.
    ScanOnPush,
    /// Again whenever more is known.
    ContinuousScan,
    /// When asked for.
    #[default]
    Manual,
}

/// A principal whose pulls are not recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullTimeExclusion {
    /// ARN of the role or user.
    pub principal_arn: String,
    /// Since when.
    pub created_at: Timestamp,
}

impl Registry {
    /// The registry of an account for which nothing is set.
    pub fn new(account: AccountId) -> Self {
        Self {
            account,
            policy: None,
            replication: vec![],
            settings: BTreeMap::new(),
            scanning: None,
            pull_time_exclusions: vec![],
            display_name: None,
        }
    }
}

impl ReplicationRule {
    /// Whether images of a repository are copied.
    pub fn covers(&self, repository: &str) -> bool {
        self.prefixes.is_empty() || self.prefixes.iter().any(|prefix| repository.starts_with(prefix.as_str()))
    }
}

impl Stored for Registry {
    const TABLE: &'static str = "ecr/registry";

    fn key(&self) -> String {
        self.account.to_string()
    }
}
