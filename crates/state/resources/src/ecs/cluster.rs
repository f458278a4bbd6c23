//! Clusters.

use super::{StrategyItem, Tag};
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// A cluster. Deleted ones stay for a while as `INACTIVE`, as on AWS.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cluster {
    /// Owner.
    pub account: AccountId,
    /// Name, unique in the account.
    pub name: String,
    /// Whether tasks may run in it.
    pub status: ClusterStatus,
    /// Setting names and values, such as `containerInsights` and `disabled`.
    pub settings: Vec<(String, String)>,
    /// Capacity providers associated with it.
    pub capacity_providers: Vec<String>,
    /// Strategy of tasks and services that ask for no launch type and no strategy.
    #[serde(default)]
    pub default_strategy: Vec<StrategyItem>,
    /// How commands in its containers are logged; `None` when nobody has said so.
    #[serde(default)]
    pub execute_command: Option<ExecuteCommandLogging>,
    /// ARN of the namespace of services that name none for Service Connect.
    #[serde(default)]
    pub connect_namespace: Option<String>,
    /// Tags.
    pub tags: Vec<Tag>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Where the output of commands in containers goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExecuteCommandLogging {
    /// Nowhere.
    None,
    /// To the log group of the container.
    Default,
    /// To this log group.
    Override(String),
}

/// The life of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClusterStatus {
    /// Tasks may run.
    Active,
    /// Deleted.
    Inactive,
}

impl Stored for Cluster {
    const TABLE: &'static str = "ecs/cluster";

    fn key(&self) -> String {
        format!("{}/{}", self.account, self.name)
    }
}
