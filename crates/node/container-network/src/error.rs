//! What goes wrong with networks.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// A network operation that failed; names what was attempted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The configuration cannot work.
    #[error("{0}")]
    Config(String),
    /// The id cannot name a namespace.
    #[error("{0:?} cannot name a network namespace")]
    Id(String),
    /// The address is not one that a task may have here.
    #[error("address {0} is not a host address of subnet {1}")]
    Address(Ipv4Addr, String),
    /// The text is no MAC address of a station.
    #[error("{0:?} is not a unicast MAC address")]
    Mac(String),
    /// The kernel refused a netlink request.
    #[error("{step}")]
    Netlink {
        /// What was attempted.
        step: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A file or mount could not be made or removed.
    #[error("{step} {}", path.display())]
    File {
        /// What was attempted.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// The answer.
        source: io::Error,
    },
    /// A namespace could not be made.
    #[error("{step}")]
    Namespace {
        /// What was attempted.
        step: &'static str,
        /// The answer.
        source: io::Error,
    },
    /// The firewall could not be set; without it tasks would not reach the outside.
    #[error("setting up address translation with {program}: {reason}")]
    Firewall {
        /// The program that ran, or `nft or iptables` when neither is there.
        program: String,
        /// What it said.
        reason: String,
    },
    /// A fault could not be made or ended.
    #[error("making a fault in the network of a task: {0}")]
    Fault(String),
    /// The endpoint of a task could not be opened.
    #[error("listening at the endpoint of a task")]
    Endpoint(#[source] io::Error),
    /// The thread that does the work died.
    #[error("the network worker ended early")]
    Worker,
}
