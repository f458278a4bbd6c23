//! Load balancers.

use super::{LOAD_BALANCER, Tags, account_and_rest};
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// A load balancer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancer {
    /// Owner.
    pub account: AccountId,
    /// Name, unique in the account.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Name under `.elb.localhost`.
    pub dns_name: String,
    /// Application or network.
    pub kind: LoadBalancerKind,
    /// Reached from outside, as told; here both are reached alike.
    pub internet_facing: bool,
    /// Its VPC.
    pub vpc: String,
    /// Where it is.
    pub zones: Vec<LoadBalancerZone>,
    /// Security groups, of an application load balancer.
    pub security_groups: Vec<String>,
    /// Attributes that differ from the default.
    pub attributes: BTreeMap<String, String>,
    /// Tags.
    pub tags: Tags,
    /// When it was made.
    pub created_at: Timestamp,
    /// Where it stands. Written by the controller.
    pub state: LoadBalancerState,
}

/// The type of a load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoadBalancerKind {
    /// Decides by requests.
    Application,
    /// Decides by connections.
    Network,
}

/// A zone in which a load balancer is, with its address there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancerZone {
    /// Name of the zone.
    pub zone: String,
    /// Its subnet there.
    pub subnet: String,
    /// Its address there, once it has one. Written by the controller, as what follows.
    #[serde(default)]
    pub address: Option<Ipv4Addr>,
    /// Id of the network interface that has the address.
    #[serde(default)]
    pub interface: Option<String>,
    /// Why it has none, when it cannot have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// Where a load balancer stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoadBalancerState {
    /// Not yet at work.
    Provisioning,
    /// At work.
    Active,
    /// At work, but not everywhere, and why.
    Impaired(String),
    /// Cannot work, and why.
    Failed(String),
}

impl LoadBalancerKind {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Network => "network",
        }
    }

    /// As it stands in ARNs.
    pub const fn in_arn(self) -> &'static str {
        match self {
            Self::Application => "app",
            Self::Network => "net",
        }
    }
}

impl LoadBalancerZone {
    /// A zone without an address.
    pub fn new(zone: String, subnet: String) -> Self {
        Self { zone, subnet, address: None, interface: None, fault: None }
    }
}

impl LoadBalancer {
    /// The addresses that it has, by zone.
    pub fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.zones.iter().filter_map(|zone| zone.address)
    }

    /// Whether it is in the same subnets as `zones`.
    pub fn is_in(&self, zones: &[LoadBalancerZone]) -> bool {
        self.zones.len() == zones.len()
            && self.zones.iter().zip(zones).all(|(own, other)| own.subnet == other.subnet)
    }

    /// The key in an ARN of a load balancer. The row that has it may be of a later one with the same name.
    pub fn key_in(arn: &str) -> Option<String> {
        let (account, rest) = account_and_rest(arn, LOAD_BALANCER)?;
        match rest[..] {
            [_, name, _] => Some(format!("{account}/{name}")),
            _ => None,
        }
    }

    /// The value of an attribute that was set.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.get(key).map(String::as_str)
    }
}

impl Stored for LoadBalancer {
    const TABLE: &'static str = "elb/load-balancer";

    fn key(&self) -> String {
        format!("{}/{}", self.account, self.name)
    }
}
