//! Security groups and their rules.

use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

/// A security group: what may reach its members, and what they may reach.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecurityGroup {
    /// Owner.
    pub account: AccountId,
    /// `sg-` and 17 hexadecimal digits.
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// Its name, unique in its VPC; `default` for the default one.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its rules, in the order they were made.
    pub rules: Vec<SecurityGroupRule>,
    /// It is being deleted: no interface joins it.
    #[serde(default)]
    pub closing: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// One thing that is let through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroupRule {
    /// `sgr-` and 17 hexadecimal digits.
    pub id: String,
    /// Whether it is for what members send, and not for what they receive.
    pub egress: bool,
    /// Which traffic.
    pub protocol: Protocol,
    /// From or to whom.
    pub peer: Peer,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Which traffic a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// Everything.
    All,
    /// TCP to these ports.
    Tcp(PortRange),
    /// UDP to these ports.
    Udp(PortRange),
    /// ICMP of a type and a code; all types or all codes where there is none.
    Icmp(Option<u8>, Option<u8>),
    /// ICMPv6. There is no IPv6 in a VPC here, so nothing is of it.
    Icmp6(Option<u8>, Option<u8>),
    /// Another protocol by its number.
    Number(u8),
}

/// Ports from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRange {
    /// First.
    pub from: u16,
    /// Last.
    pub to: u16,
}

/// The other side of the traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Peer {
    /// Addresses.
    Range(Ipv4Net),
    /// Addresses of IPv6, which nothing here has.
    Range6(Ipv6Net),
    /// Members of a security group of the same VPC, by its id.
    Group(String),
}

impl Stored for SecurityGroup {
    const TABLE: &'static str = "ec2/security-group";

    fn key(&self) -> String {
        format!("{}/{}", self.account, self.id)
    }
}

impl SecurityGroup {
    /// Name of the group that interfaces join when they are told no other.
    pub const DEFAULT: &'static str = "default";

    /// Whether it is the default group of its VPC.
    pub fn is_default(&self) -> bool {
        self.name == Self::DEFAULT
    }
}

impl SecurityGroupRule {
    /// Whether both let the same through, whatever they say of themselves.
    pub fn permits_same(&self, other: &Self) -> bool {
        (self.egress, self.protocol, &self.peer) == (other.egress, other.protocol, &other.peer)
    }
}
