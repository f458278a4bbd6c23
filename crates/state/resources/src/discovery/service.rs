//! Services of namespaces.

use super::{Namespace, Tags};
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A service of Cloud Map: a name with instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoveryService {
    /// Owner.
    pub account: AccountId,
    /// `srv-` and 16 letters and digits.
    pub id: String,
    /// Id of its namespace.
    pub namespace: String,
    /// Name, unique in the namespace.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The records that its instances get; `None` when it is found by DiscoverInstances alone.
    pub dns: Option<DnsConfig>,
    /// Found by DiscoverInstances alone, though its namespace has DNS.
    pub is_http_only: bool,
    /// Its instances are as healthy as they are told to be.
    pub custom_health: Option<CustomHealth>,
    /// Attributes of the service itself.
    pub attributes: BTreeMap<String, String>,
    /// Token of the request that made it.
    pub creator_request_id: Option<String>,
    /// Key of the ECS service that it was made for by Service Connect, and that it goes with.
    #[serde(default)]
    pub owner: Option<String>,
    /// Tags.
    pub tags: Tags,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Health that is told, not checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomHealth {
    /// Kept as given; AWS takes it as 1 in any case.
    pub failure_threshold: Option<u32>,
}

/// The DNS records of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsConfig {
    /// Which instances an answer tells of.
    pub routing: RoutingPolicy,
    /// The records that each instance gets, one of a type.
    pub records: Vec<DnsRecord>,
}

/// Which instances an answer tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoutingPolicy {
    /// Up to eight healthy ones.
    MultiValue,
    /// One at random.
    Weighted,
}

/// A record that each instance gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsRecord {
    /// Its type.
    pub kind: RecordKind,
    /// Seconds that it may be kept.
    pub ttl: u32,
}

/// Types of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RecordKind {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// A name and a port.
    Srv,
}

/// The name of a service in its namespace: what makes it unique, and what finds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceName {
    /// Owner.
    pub account: AccountId,
    /// Id of the namespace.
    pub namespace: String,
    /// Name, in lower case where its namespace has DNS.
    pub name: String,
    /// Id of the service.
    pub id: String,
}

impl DiscoveryService {
    /// The key of a service.
    pub fn key_of(account: &AccountId, id: &str) -> String {
        format!("{account}/{id}")
    }

    /// The record of a type, if its instances get one.
    pub fn record(&self, kind: RecordKind) -> Option<DnsRecord> {
        self.dns.as_ref()?.records.iter().find(|record| record.kind == kind).copied()
    }

    /// The row that holds its name in `namespace`.
    pub fn name_row(&self, namespace: &Namespace) -> ServiceName {
        ServiceName {
            account: self.account.clone(),
            namespace: self.namespace.clone(),
            name: ServiceName::in_namespace(namespace, &self.name),
            id: self.id.clone(),
        }
    }

    /// Its name in DNS, lower-case; `.` is the namespace itself.
    pub fn dns_name(&self, namespace: &Namespace) -> String {
        let zone = namespace.name.to_ascii_lowercase();
        if self.name == "." { zone } else { format!("{}.{zone}", self.name.to_ascii_lowercase()) }
    }
}

impl ServiceName {
    /// A name as it is unique in a namespace: names of DNS do not differ by case alone.
    pub fn in_namespace(namespace: &Namespace, name: &str) -> String {
        if namespace.has_dns() { name.to_ascii_lowercase() } else { name.to_owned() }
    }

    /// The key of a name.
    pub fn key_of(account: &AccountId, namespace: &str, name: &str) -> String {
        format!("{account}/{namespace}/{name}")
    }

    /// Prefix of the keys of a namespace's services.
    pub fn keys_of(account: &AccountId, namespace: &str) -> String {
        format!("{account}/{namespace}/")
    }
}

impl Stored for DiscoveryService {
    const TABLE: &'static str = "discovery/service";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.id)
    }
}

impl Stored for ServiceName {
    const TABLE: &'static str = "discovery/service-name";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.namespace, &self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_health_without_a_threshold_is_not_forgotten() {
        for given in [None, Some(CustomHealth::default()), Some(CustomHealth { failure_threshold: Some(1) })]
        {
            let text = serde_json::to_string(&given).expect("JSON");
            assert_eq!(serde_json::from_str::<Option<CustomHealth>>(&text).expect("reads"), given);
        }
    }
}
