//! What the security groups of a region let through: rows in, one [`Plan`] for the host's packet filter out.
//!
//! A plan says everything: who has which address, which groups and VPCs the addresses are members of, and what the
//! rules of each combination of groups permit. What a plan does not permit is dropped. Rules only ever permit, so the
//! groups of an interface add up; interfaces with the same groups share one [`Policy`], and one in no group, as network
//! load balancers may be, is open to everything. Interfaces of different VPCs
//! never reach each other, whatever their rules say. Rules of IPv6 permit nothing, for no interface has such an address.
//!
//! The plan of the same rows is always the same, however they are ordered, so that plans can be compared.

use ipnet::Ipv4Net;
use resources::Stored;
use resources::ec2::{NetworkInterface, Peer, Protocol, SecurityGroup, SecurityGroupRule, Subnet, Vpc};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// What a host lets through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The subnets, each with the address of its way out.
    pub networks: BTreeSet<Network>,
    /// Each address and the policy that holds for it.
    pub members: BTreeMap<Ipv4Addr, PolicyId>,
    /// The policies that members have.
    pub policies: BTreeMap<PolicyId, Policy>,
    /// Members of the groups that rules speak of, by id.
    pub groups: BTreeMap<String, BTreeSet<Ipv4Addr>>,
    /// Members of each VPC, by id.
    pub vpcs: BTreeMap<String, BTreeSet<Ipv4Addr>>,
}

/// A subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network {
    /// Its addresses.
    pub range: Ipv4Net,
    /// The first of them, which is the machine's.
    pub gateway: Ipv4Addr,
}

/// Names a policy: a VPC and some of its groups.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyId {
    /// The VPC.
    pub vpc: String,
    /// The groups.
    pub groups: BTreeSet<String>,
}

/// What is permitted to the members of some groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whether they reach what is outside of their VPC.
    pub leaves: bool,
    /// What they may receive.
    pub ingress: BTreeSet<Permit>,
    /// What they may send.
    pub egress: BTreeSet<Permit>,
}

/// Some traffic that is let through.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permit {
    /// The other side.
    pub other: Other,
    /// Which traffic.
    pub traffic: Traffic,
}

/// The other side of traffic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Other {
    /// Any address of a range.
    Range(Ipv4Net),
    /// Any member of a group, by its id.
    Group(String),
}

/// A kind of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Traffic {
    /// Everything.
    All,
    /// TCP to ports from the first to the last.
    Tcp(u16, u16),
    /// UDP to ports from the first to the last.
    Udp(u16, u16),
    /// ICMP of a type and a code, or all of them.
    Icmp(Option<u8>, Option<u8>),
    /// Another protocol.
    Number(u8),
}

/// The plan of a region's rows.
pub fn plan<'a>(
    vpcs: impl IntoIterator<Item = &'a Vpc>,
    subnets: impl IntoIterator<Item = &'a Subnet>,
    groups: impl IntoIterator<Item = &'a SecurityGroup>,
    interfaces: impl IntoIterator<Item = &'a NetworkInterface>,
) -> Plan {
    let leaving: BTreeSet<String> =
        vpcs.into_iter().filter(|vpc| vpc.internet_gateway.is_some()).map(|vpc| vpc.id.clone()).collect();
    let rules: BTreeMap<String, &SecurityGroup> =
        groups.into_iter().map(|group| (group.key(), group)).collect();
    let networks = subnets.into_iter().map(|own| Network { range: own.cidr, gateway: own.gateway() });
    let mut plan = Plan { networks: networks.collect(), ..Plan::default() };
    let mut members: BTreeMap<&str, BTreeSet<Ipv4Addr>> = BTreeMap::new();
    for interface in interfaces {
        let id = PolicyId { vpc: interface.vpc.clone(), groups: interface.groups.iter().cloned().collect() };
        for group in &interface.groups {
            members.entry(group).or_default().insert(interface.address);
        }
        plan.vpcs.entry(interface.vpc.clone()).or_default().insert(interface.address);
        if !plan.policies.contains_key(&id) {
            let own =
                id.groups.iter().filter_map(|group| rules.get(&format!("{}/{group}", interface.account)));
            let leaves = leaving.contains(&interface.vpc);
            let policy =
                if id.groups.is_empty() { Policy::open(leaves) } else { policy(leaves, own.copied()) };
            plan.policies.insert(id.clone(), policy);
        }
        plan.members.insert(interface.address, id);
    }
    for group in plan.policies.values().flat_map(Policy::peers) {
        let of_group = members.get(group).cloned().unwrap_or_default();
        plan.groups.entry(group.to_owned()).or_insert(of_group);
    }
    plan
}

fn policy<'a>(leaves: bool, groups: impl Iterator<Item = &'a SecurityGroup>) -> Policy {
    let mut policy = Policy { leaves, ..Policy::default() };
    for rule in groups.flat_map(|group| &group.rules) {
        let Some(permit) = permit(rule) else { continue };
        if rule.egress {
            policy.egress.insert(permit);
        } else {
            policy.ingress.insert(permit);
        }
    }
    policy
}

fn permit(rule: &SecurityGroupRule) -> Option<Permit> {
    let other = match &rule.peer {
        Peer::Range(range) => Other::Range(*range),
        Peer::Group(id) => Other::Group(id.clone()),
        Peer::Range6(_) => return None,
    };
    let traffic = match rule.protocol {
        Protocol::All => Traffic::All,
        Protocol::Tcp(ports) => Traffic::Tcp(ports.from, ports.to),
        Protocol::Udp(ports) => Traffic::Udp(ports.from, ports.to),
        Protocol::Icmp(kind, code) => Traffic::Icmp(kind, code),
        Protocol::Icmp6(..) => return None,
        Protocol::Number(number) => Traffic::Number(number),
    };
    Some(Permit { other, traffic })
}

impl Policy {
    /// Everything is permitted.
    fn open(leaves: bool) -> Self {
        let all = BTreeSet::from([Permit { other: Other::Range(Ipv4Net::default()), traffic: Traffic::All }]);
        Self { leaves, ingress: all.clone(), egress: all }
    }

    fn peers(&self) -> impl Iterator<Item = &str> {
        self.ingress.iter().chain(&self.egress).filter_map(|permit| match &permit.other {
            Other::Group(id) => Some(id.as_str()),
            Other::Range(_) => None,
        })
    }
}

#[cfg(test)]
mod tests;
