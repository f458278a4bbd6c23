//! Targets and their health.

use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A target of a target group. It goes with its group; one that is deregistered stays until it has drained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Owner of the group.
    pub account: AccountId,
    /// Name of the group.
    pub target_group: String,
    /// ARN of the group.
    pub target_group_arn: String,
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// Zone, as told.
    pub zone: Option<String>,
    /// Key of the task that its service has registered here, if one has. While a task lists the target in
    /// [`crate::ecs::Task::targets`], nobody but the registration of services' tasks removes the row.
    #[serde(default)]
    pub task: Option<String>,
    /// Key of that task's service.
    #[serde(default)]
    pub service: Option<String>,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// Since when it is deregistering.
    #[serde(default)]
    pub draining_since: Option<Timestamp>,
    /// What was last seen of it. Written by the controller of load balancers.
    pub health: TargetHealth,
}

/// Health of a target, in the words of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetHealth {
    /// The state.
    pub state: TargetState,
    /// Code of the reason, such as `Target.Timeout`; of healthy targets none.
    pub reason: Option<String>,
    /// The reason for people.
    pub description: Option<String>,
}

/// State of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetState {
    /// Its first checks are under way.
    Initial,
    /// It gets requests.
    Healthy,
    /// It fails its checks.
    Unhealthy,
    /// No load balancer uses its group.
    Unused,
    /// It is deregistering.
    Draining,
    /// It is deregistered, and nothing is in progress there any more.
    Drained,
    /// Checks are disabled; it gets requests.
    Unavailable,
}

impl TargetState {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Unused => "unused",
            Self::Draining | Self::Drained => "draining",
            Self::Unavailable => "unavailable",
        }
    }
}

impl TargetHealth {
    /// Of a target that nobody has looked at.
    pub fn initial() -> Self {
        Self {
            state: TargetState::Initial,
            reason: Some("Elb.RegistrationInProgress".to_owned()),
            description: Some("Target registration is in progress".to_owned()),
        }
    }

    /// Of a target that is deregistering.
    pub fn draining() -> Self {
        Self {
            state: TargetState::Draining,
            reason: Some("Target.DeregistrationInProgress".to_owned()),
            description: Some("Target deregistration is in progress".to_owned()),
        }
    }
}

impl Target {
    /// Key of a target of a group.
    pub fn key_of(account: &AccountId, target_group: &str, address: IpAddr, port: u16) -> String {
        format!("{account}/{target_group}/{address}/{port}")
    }

    /// Begins to deregister it, unless it does so already.
    pub fn drain(&mut self, now: Timestamp) {
        if self.draining_since.is_none() {
            self.draining_since = Some(now);
            self.health = TargetHealth::draining();
        }
    }
}

impl Stored for Target {
    const TABLE: &'static str = "elb/target";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.target_group, self.address, self.port)
    }
}
