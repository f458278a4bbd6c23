//! Container instances: machines with an agent.

use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// The cluster of the hosts that lend Fargate capacity. No user can name it: cluster names have no colon.
pub const FARGATE_HOSTS: &str = "longshore:fargate";

/// A registered container instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContainerInstance {
    /// Owner; for Fargate hosts the account of the region.
    pub account: AccountId,
    /// Its cluster, or [`FARGATE_HOSTS`].
    pub cluster: String,
    /// 32 hexadecimal digits.
    pub id: String,
    /// Whether tasks may be placed on it.
    pub status: InstanceStatus,
    /// Whether its agent has a session open.
    pub agent_connected: bool,
    /// CPU units of the machine, 1024 for each core.
    pub cpu: u32,
    /// Memory of the machine in MiB.
    pub memory: u32,
    /// Version of its agent.
    pub agent_version: String,
    /// Attributes it registered with: names and values.
    pub attributes: Vec<(String, Option<String>)>,
    /// When it registered.
    pub registered_at: Timestamp,
}

/// The life of a container instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InstanceStatus {
    /// Takes tasks.
    Active,
    /// Deregistered.
    Inactive,
}

impl Stored for ContainerInstance {
    const TABLE: &'static str = "ecs/container-instance";

    fn key(&self) -> String {
        format!("{}/{}/{}", self.account, self.cluster, self.id)
    }
}

impl ContainerInstance {
    /// Whether a task can be sent to it now.
    pub fn takes_tasks(&self) -> bool {
        self.status == InstanceStatus::Active && self.agent_connected
    }
}
