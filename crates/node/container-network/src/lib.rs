//! Network namespaces, interfaces, addresses and NAT of a host's tasks.
//!
//! A [`Network`] is one bridge with a subnet, and with the subnets that its rules name. Each task gets a named network
//! namespace with an interface of its own on that bridge, and a route to the outside through it (masqueraded). Names it asks
//! for at the bridge's address; who answers there is not known here. Containers of one task share the namespace, and with it
//! localhost. At [`ENDPOINT`] each task reaches this process, as [`Network::endpoint`] tells. Of link-local addresses a task
//! reaches that one only.
//!
//! Promises: what [`rules::Rules`] do not permit does not pass, at no moment, whether this process runs or not; no task
//! sends from another's address; no thread of the caller ever changes its namespace; everything this crate makes can be
//! found again after a crash ([`Network::list`]) and is removed by [`Network::detach`] and [`Network::stop`]; several
//! networks with different bridges live side by side on one machine. It speaks netlink itself and runs no `ip`; only
//! the firewall needs a program, `nft`, and `iptables` where that drops what is forwarded.

mod endpoint;
mod error;
pub mod faults;
mod files;
mod firewall;
mod guard;
mod namespace;
mod netlink;
mod network;
pub mod rules;
mod subnet;

pub use endpoint::ENDPOINT;
pub use error::NetworkError;
pub use files::TaskFiles;
pub use network::{Network, NetworkConfig, NetworkNamespace, SandboxNetworkSpec};
pub use subnet::{Subnet, SubnetError, network_in_use, pick_free_subnet};
