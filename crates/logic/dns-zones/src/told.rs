//! What a name server is told, and what it tells.

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// All that a name server is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Configuration {
    /// Where it listens, for datagrams and connections.
    pub listen: Vec<SocketAddr>,
    /// Who may ask, beside the machine itself and the clients of views.
    pub range: Option<Ipv4Net>,
    /// Who is asked about all other names; those of the host when there are none.
    pub resolvers: Vec<SocketAddr>,
    /// Addresses of names that everybody sees, as those of load balancers; lower-case, without the last dot.
    pub names: BTreeMap<String, Vec<Ipv4Addr>>,
    /// Zones, and who sees which.
    pub zones: Zones,
}

/// Zones, and who sees which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Zones {
    /// The zones; of those with one name the first that a client sees is its own.
    pub zones: Vec<Zone>,
    /// Clients by what they see.
    pub views: Vec<View>,
}

/// Clients that see the same zones: those of one VPC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct View {
    /// Places of the zones.
    pub zones: Vec<usize>,
    /// Addresses of the clients.
    pub clients: Vec<Ipv4Addr>,
}

/// A zone: a private namespace.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Zone {
    /// Its name, lower-case, without the last dot.
    pub name: String,
    /// Seconds that answers may be kept which say that there is nothing.
    pub negative_ttl: u32,
    /// Services with instances; others have no names.
    pub services: Vec<Service>,
}

/// A service, whose instances are found by its name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Service {
    /// Its whole name, lower-case, without the last dot.
    pub name: String,
    /// Which instances an answer tells of.
    pub routing: Routing,
    /// The records that its instances have.
    pub records: Vec<RecordSet>,
    /// Its instances.
    pub instances: Vec<Instance>,
}

/// Which instances an answer tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Routing {
    /// Up to eight healthy ones.
    MultiValue,
    /// One, healthy if any is.
    Weighted,
}

/// Records of a service, one for each instance that can have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct RecordSet {
    /// Their type.
    pub kind: RecordKind,
    /// Seconds that they may be kept.
    pub ttl: u32,
}

/// Types of records that services have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum RecordKind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Names and ports.
    Srv,
}

/// An instance of a service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Instance {
    /// Names it below its service.
    pub id: String,
    /// Whether it is healthy.
    pub healthy: bool,
    /// Its IPv4 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub v4: Option<Ipv4Addr>,
    /// Its IPv6 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub v6: Option<Ipv6Addr>,
    /// Its port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// What a name server tells of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Report {
    /// What keeps it from listening.
    pub faults: Vec<String>,
    /// Queries that were answered from what it was told, since the process started.
    pub answered: u64,
    /// Queries that were passed on.
    pub forwarded: u64,
    /// Queries that were not passed on, for there were too many.
    pub refused: u64,
}
