//! Instances of services.

use super::DiscoveryService;
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The attribute with an instance's IPv4 address.
pub const ATTRIBUTE_IPV4: &str = "AWS_INSTANCE_IPV4";
/// The attribute with an instance's IPv6 address.
pub const ATTRIBUTE_IPV6: &str = "AWS_INSTANCE_IPV6";
/// The attribute with an instance's port.
pub const ATTRIBUTE_PORT: &str = "AWS_INSTANCE_PORT";
/// The attribute that says how healthy an instance is at first, where its service has custom health.
pub const ATTRIBUTE_INIT_HEALTH: &str = "AWS_INIT_HEALTH_STATUS";

/// An instance of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Owner.
    pub account: AccountId,
    /// Id of its service.
    pub service: String,
    /// Id, unique in the service.
    pub id: String,
    /// What is known of it.
    pub attributes: BTreeMap<String, String>,
    /// Token of the request that registered it.
    pub creator_request_id: Option<String>,
    /// Whether it was said to be healthy; counts where the service has custom health.
    pub is_healthy: bool,
    /// Key of the ECS task that it is, if ECS registered it.
    pub task: Option<String>,
    /// When it was registered.
    pub registered_at: Timestamp,
}

/// How healthy an instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthStatus {
    /// It was said to be.
    Healthy,
    /// It was said not to be.
    Unhealthy,
    /// Its service has no health checks.
    Unknown,
}

/// Written with each registration of an instance of a service and each end of one. Its revision is what matters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstancesChange {
    /// Owner.
    pub account: AccountId,
    /// Id of the service.
    pub service: String,
}

impl Instance {
    /// The key of an instance.
    pub fn key_of(account: &AccountId, service: &str, id: &str) -> String {
        format!("{account}/{service}/{id}")
    }

    /// Prefix of the keys of a service's instances.
    pub fn keys_of(account: &AccountId, service: &str) -> String {
        format!("{account}/{service}/")
    }

    /// How healthy it is as an instance of `service`.
    pub fn health(&self, service: &DiscoveryService) -> HealthStatus {
        match service.custom_health {
            None => HealthStatus::Unknown,
            Some(_) if self.is_healthy => HealthStatus::Healthy,
            Some(_) => HealthStatus::Unhealthy,
        }
    }

    /// Its IPv4 address.
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        self.attributes.get(ATTRIBUTE_IPV4)?.parse().ok()
    }

    /// Its IPv6 address.
    pub fn ipv6(&self) -> Option<Ipv6Addr> {
        self.attributes.get(ATTRIBUTE_IPV6)?.parse().ok()
    }

    /// Its port.
    pub fn port(&self) -> Option<u16> {
        self.attributes.get(ATTRIBUTE_PORT)?.parse().ok()
    }

    /// The row to be written with its registration and its end.
    pub fn change(&self) -> InstancesChange {
        InstancesChange { account: self.account.clone(), service: self.service.clone() }
    }
}

impl HealthStatus {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Unhealthy => "UNHEALTHY",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl Stored for Instance {
    const TABLE: &'static str = "discovery/instance";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.service, &self.id)
    }
}

impl InstancesChange {
    /// The key of a service's change.
    pub fn key_of(account: &AccountId, service: &str) -> String {
        format!("{account}/{service}")
    }
}

impl Stored for InstancesChange {
    const TABLE: &'static str = "discovery/instances-change";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.service)
    }
}
