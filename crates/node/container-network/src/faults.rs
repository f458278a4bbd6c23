//! Faults in the network of one task, as the fault injection endpoints of ECS have them: a port that swallows what goes
//! there, packets that get lost, packets that take longer.
//!
//! They are made inside of the task's namespace, for its containers alone, and end with it at the latest. The namespace
//! is also the only record of them: an agent that is started anew finds what runs. What gets lost, and what is delayed,
//! is what the task sends; an address is that of the other end in all of them.
//!
//! Ports and losses need nothing but nftables (for losses with its hook on the way out, Linux 5.16). A delay needs
//! queues that a kernel may lack ([`delay_unavailable`]).

use crate::error::NetworkError;
use crate::firewall;
use crate::namespace::{TASK_INTERFACE, enter, file, netlink};
use crate::netlink::{Delay, Netlink};
use nix::sched::{CloneFlags, unshare};
use std::fmt;
use std::fs::File;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// The tables in the namespace of a task.
const TABLE: &str = "longshore-faults";
/// What a delayed packet is marked with: the class of the queue that delays.
const DELAYED: &str = "1:1";

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing passes to a port.
    BlackholePort {
        /// Which port.
        port: Port,
        /// Whose packets pass nevertheless.
        spared: Vec<Range>,
    },
    /// What is sent takes longer.
    Latency {
        /// How much longer.
        delay: Duration,
        /// How far it varies, to both sides.
        jitter: Duration,
        /// For whom.
        towards: Vec<Range>,
        /// For whom not, of those.
        spared: Vec<Range>,
    },
    /// A part of what is sent gets lost.
    PacketLoss {
        /// How much, from 1 to 100.
        percent: u8,
        /// On the way to whom.
        towards: Vec<Range>,
        /// To whom not, of those.
        spared: Vec<Range>,
    },
}

/// Names a fault of a task; there is at most one of each name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultName {
    /// A port that swallows everything.
    BlackholePort(Port),
    /// What is sent takes longer.
    Latency,
    /// A part of what is sent gets lost.
    PacketLoss,
}

/// A port, as a packet has it as its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// In which direction.
    pub traffic: Traffic,
    /// Of which protocol.
    pub protocol: Protocol,
    /// Its number.
    pub number: u16,
}

/// A direction, seen from the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// To the task.
    Ingress,
    /// From the task.
    Egress,
}

/// A protocol with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// An address or a block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    address: IpAddr,
    prefix: u8,
}

/// A text that is neither an address nor a block of addresses.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no address and no block of addresses")]
pub struct NotARange(String);

impl FromStr for Range {
    type Err = NotARange;

    fn from_str(text: &str) -> Result<Self, NotARange> {
        let wrong = || NotARange(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(longest);
        if prefix > longest { Err(wrong()) } else { Ok(Self { address, prefix }) }
    }
}

impl From<IpAddr> for Range {
    fn from(address: IpAddr) -> Self {
        Self { address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }
}

impl Range {
    /// The part of a rule that says that the other end is in it.
    fn matches(&self, side: &str) -> String {
        let family = if self.address.is_ipv4() { "ip" } else { "ip6" };
        format!("{family} {side} {}/{}", self.address, self.prefix)
    }
}

impl fmt::Display for Port {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let traffic = match self.traffic {
            Traffic::Ingress => "ingress",
            Traffic::Egress => "egress",
        };
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        write!(formatter, "{traffic}-{protocol}-{}", self.number)
    }
}

impl Fault {
    /// Its name.
    pub fn name(&self) -> FaultName {
        match self {
            Self::BlackholePort { port, .. } => FaultName::BlackholePort(*port),
            Self::Latency { .. } => FaultName::Latency,
            Self::PacketLoss { .. } => FaultName::PacketLoss,
        }
    }

    /// Its rules, for `nft`.
    fn rules(&self) -> String {
        let (family, chain) = self.name().chain();
        let (hook, rules) = match self {
            Self::BlackholePort { port, spared } => {
                let (hook, side) = match port.traffic {
                    Traffic::Ingress => ("input", "saddr"),
                    Traffic::Egress => ("output", "daddr"),
                };
                let protocol = match port.protocol {
                    Protocol::Tcp => "tcp",
                    Protocol::Udp => "udp",
                };
                let mut rules = each(spared, side, "accept");
                rules.push(format!("{protocol} dport {} drop", port.number));
                (format!("{hook} priority filter"), rules)
            }
            Self::Latency { towards, spared, .. } => {
                let mut rules = vec![format!("oifname != \"{TASK_INTERFACE}\" accept")];
                rules.extend(each(spared, "daddr", "accept"));
                rules.extend(each(towards, "daddr", &format!("meta priority set {DELAYED}")));
                ("postrouting priority srcnat".to_owned(), rules)
            }
            Self::PacketLoss { percent, towards, spared } => {
                let mut rules = each(spared, "daddr", "accept");
                let last = percent.clamp(&1, &100) - 1;
                for range in towards {
                    let to = range.matches("daddr");
                    // Whom two ranges name has one chance all the same.
                    rules.push(format!("{to} numgen random mod 100 <= {last} drop"));
                    rules.push(format!("{to} accept"));
                }
                (format!("egress device \"{TASK_INTERFACE}\" priority 0"), rules)
            }
        };
        let rules = rules.join("\n");
        format!(
            "table {family} {TABLE} {{\nchain {chain} {{\ntype filter hook {hook}; policy accept;\n{rules}\n}}\n}}\n"
        )
    }
}

/// One rule for each range: nothing hinders them from overlapping.
fn each(ranges: &[Range], side: &str, what: &str) -> Vec<String> {
    ranges.iter().map(|range| format!("{} {what}", range.matches(side))).collect()
}

impl FaultName {
    /// The family of its table, and its chain there.
    fn chain(self) -> (&'static str, String) {
        match self {
            Self::BlackholePort(port) => ("inet", port.to_string()),
            Self::Latency => ("inet", "network-latency".to_owned()),
            Self::PacketLoss => ("netdev", "network-packet-loss".to_owned()),
        }
    }
}

/// What becomes of faults in a namespace. Everything blocks, and must run on a thread of its own, which is in that
/// namespace afterwards.
pub(crate) struct Faults {
    nft: PathBuf,
}

impl Faults {
    /// Enters the namespace.
    pub(crate) fn inside(namespace: &Path) -> Result<Self, NetworkError> {
        let nft =
            firewall::find("nft").ok_or_else(|| NetworkError::Fault("nft is not installed".to_owned()))?;
        let own = File::open(namespace).map_err(file("opening", namespace))?;
        enter(&own)?;
        Ok(Self { nft })
    }

    pub(crate) fn is_running(&self, name: FaultName) -> bool {
        let (family, chain) = name.chain();
        firewall::run(&self.nft, &["list", "chain", family, TABLE, &chain], None).is_ok()
    }

    /// Starts a fault; nothing happens when one of its name runs.
    pub(crate) fn start(&self, fault: &Fault) -> Result<(), NetworkError> {
        if self.is_running(fault.name()) {
            return Ok(());
        }
        if let Fault::Latency { delay, jitter, .. } = fault {
            // What an agent that died in the middle has left.
            remove_queues()?;
            add_queues(&Delay { delay: *delay, jitter: *jitter })?;
        }
        let written = firewall::run(&self.nft, &["-f", "-"], Some(&fault.rules()));
        if written.is_err() && fault.name() == FaultName::Latency {
            remove_queues()?;
        }
        written.map(drop)
    }

    /// Ends a fault; nothing happens when none of its name runs.
    pub(crate) fn stop(&self, name: FaultName) -> Result<(), NetworkError> {
        if !self.is_running(name) {
            return Ok(());
        }
        let (family, chain) = name.chain();
        let text = format!("flush chain {family} {TABLE} {chain}\ndelete chain {family} {TABLE} {chain}\n");
        firewall::run(&self.nft, &["-f", "-"], Some(&text))?;
        if name == FaultName::Latency {
            remove_queues()?;
        }
        Ok(())
    }
}

fn add_queues(delay: &Delay) -> Result<(), NetworkError> {
    let mut kernel = Netlink::open().map_err(netlink("connecting to the kernel"))?;
    let interface = task_interface(&mut kernel)?;
    kernel.add_delay(interface, delay).map_err(netlink("making a queue that delays"))
}

fn remove_queues() -> Result<(), NetworkError> {
    let mut kernel = Netlink::open().map_err(netlink("connecting to the kernel"))?;
    let interface = task_interface(&mut kernel)?;
    kernel.remove_queue(interface).map_err(netlink("removing the queue that delays"))
}

fn task_interface(kernel: &mut Netlink) -> Result<u32, NetworkError> {
    let index = kernel.link(TASK_INTERFACE).map_err(netlink("looking for the task's interface"))?;
    index.ok_or_else(|| NetworkError::Fault("the task has no interface".to_owned()))
}

/// Why packets of tasks cannot be delayed on this machine: its kernel lacks a queue (`sch_prio`, `sch_netem`). Needs root.
pub fn delay_unavailable() -> Option<String> {
    let tried = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET)
            .map_err(|error| format!("no network namespace can be made: {error}"))?;
        let mut kernel = Netlink::open().map_err(|error| format!("no connection to the kernel: {error}"))?;
        let delay = Delay { delay: Duration::from_millis(1), jitter: Duration::ZERO };
        // The loopback interface is always the first.
        kernel
            .add_delay(1, &delay)
            .map_err(|error| format!("the kernel has no queues that delay, sch_prio and sch_netem: {error}"))
    });
    match tried.join() {
        Ok(Ok(())) => None,
        Ok(Err(why)) => Some(why),
        Err(_) => Some("the attempt ended early".to_owned()),
    }
}

#[cfg(test)]
mod tests;
