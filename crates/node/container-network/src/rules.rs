//! What a network lets through, as it is told.

use crate::subnet::Subnet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// Everything that is let through; what these do not permit is dropped. Whoever answers may answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The subnets on the network's bridge, each with its gateway, which is an address of this machine.
    pub networks: BTreeSet<(Subnet, Ipv4Addr)>,
    /// Addresses with the place of their policy in `policies`.
    pub members: BTreeMap<Ipv4Addr, usize>,
    /// What is permitted to members.
    pub policies: Vec<Policy>,
    /// Groups of addresses, which policies speak of by their place here.
    pub groups: Vec<BTreeSet<Ipv4Addr>>,
    /// Addresses that are apart from all others, which policies speak of by their place here.
    pub realms: Vec<BTreeSet<Ipv4Addr>>,
}

/// What is permitted to some members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Members of other realms are out of reach.
    pub realm: usize,
    /// Whether they reach what is outside of the bridge.
    pub leaves: bool,
    /// What they may receive.
    pub ingress: Vec<Permit>,
    /// What they may send.
    pub egress: Vec<Permit>,
}

/// Some traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// The other side.
    pub other: Other,
    /// Which traffic.
    pub traffic: Traffic,
}

/// The other side of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// Addresses of a range.
    Range(Subnet),
    /// Members of a group, by its place.
    Group(usize),
}

/// A kind of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Everything.
    All,
    /// TCP to ports from the first to the last.
    Tcp(u16, u16),
    /// UDP to ports from the first to the last.
    Udp(u16, u16),
    /// ICMP of a type and a code, or of all.
    Icmp(Option<u8>, Option<u8>),
    /// Another protocol by its number.
    Number(u8),
}

impl Rules {
    /// Whether both differ in nothing but who is a member of what.
    pub(crate) fn same_but_for_members(&self, other: &Self) -> bool {
        self.networks == other.networks
            && self.policies == other.policies
            && self.groups.len() == other.groups.len()
            && self.realms.len() == other.realms.len()
    }
}
