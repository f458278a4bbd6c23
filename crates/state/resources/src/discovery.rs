//! Cloud Map: namespaces, services, instances, and the operations that changed them.
//!
//! Rows are named by id. Names are unique through rows of their own, which are made and deleted together with what they
//! name. An instance is one row, so that tasks register without waiting for one another; registering and deregistering
//! write the service's [`InstancesChange`] in the same transaction, whose revision in the store is the revision that
//! DiscoverInstances tells.

mod instance;
mod namespace;
mod operation;
mod service;

pub use instance::{
    ATTRIBUTE_INIT_HEALTH, ATTRIBUTE_IPV4, ATTRIBUTE_IPV6, ATTRIBUTE_PORT, HealthStatus, Instance,
    InstancesChange,
};
pub use namespace::{Namespace, NamespaceKind, NamespaceName};
pub use operation::{Operation, OperationKind, TargetKind};
pub use service::{
    CustomHealth, DiscoveryService, DnsConfig, DnsRecord, RecordKind, RoutingPolicy, ServiceName,
};

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// A random id as AWS has them: a prefix and 16 letters and digits.
pub fn random_id(random: &environment::Environment, prefix: &str) -> String {
    format!("{prefix}-{}", random.random_text(16, LETTERS))
}

/// Tags by key.
pub type Tags = std::collections::BTreeMap<String, String>;
