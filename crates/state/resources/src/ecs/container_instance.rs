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

/// CPU and memory: of a host, or of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// CPU units, 1024 for each core.
    pub cpu: u64,
    /// MiB.
    pub memory: u64,
}

/// What a host has too little of for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lack {
    /// CPU units.
    Cpu,
    /// Memory.
    Memory,
}

/// What Fargate says when it has no machine for a task.
pub const NO_CAPACITY: &str =
    "Capacity is unavailable at this time. Please try again later or in a different availability zone";

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

    /// What it lends to tasks.
    pub fn size(&self) -> Size {
        Size { cpu: self.cpu.into(), memory: self.memory.into() }
    }
}

impl Size {
    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self { cpu: self.cpu.saturating_add(other.cpu), memory: self.memory.saturating_add(other.memory) }
    }

    /// What is left of it; nothing where more is taken than there is.
    pub fn minus(self, other: Self) -> Self {
        Self { cpu: self.cpu.saturating_sub(other.cpu), memory: self.memory.saturating_sub(other.memory) }
    }

    /// What this has too little of for `wanted`, CPU first, as ECS looks.
    pub fn lack_for(self, wanted: Self) -> Option<Lack> {
        if wanted.cpu > self.cpu {
            Some(Lack::Cpu)
        } else {
            (wanted.memory > self.memory).then_some(Lack::Memory)
        }
    }
}

impl Lack {
    /// As ECS names it in failures.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "RESOURCE:CPU",
            Self::Memory => "RESOURCE:MEMORY",
        }
    }
}
