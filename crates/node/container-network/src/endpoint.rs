//! The address at which a task, and nobody else, reaches this process: 169.254.170.2, port 80.
//!
//! The sockets do not live in the task's namespace: a program of the task that listens on port 80 of every address
//! would find it taken. They live in a namespace of their own, the junction, which has that address, forwards nothing
//! and has a cable to each task but no way out. Each listener is bound to the cable of its task, so a connection it
//! accepts can only have come from there; packets with another task's source are dropped by the reverse path filter.
//!
//! The junction has no name. It ends with the last socket in it, and its cables with it: nothing of it is left by an
//! agent that dies, and opening the endpoint of a task again lays a new cable.

use crate::error::NetworkError;
use crate::namespace::{self, enter, file, netlink};
use crate::netlink::{Cable, Netlink};
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, listen, setsockopt, socket, sockopt,
};
use std::ffi::OsString;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

/// Where tasks find credentials and metadata.
pub const ENDPOINT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(169, 254, 170, 2), 80);
/// The interface's name inside of the task's namespace; the published agent's bridge has the same.
const TASK_INTERFACE: &str = "ecs-eth0";
/// Connections that wait to be accepted.
const BACKLOG: i32 = 32;
/// Largest packet, Ethernet's usual.
const MTU: u32 = 1500;

/// The namespace that all endpoints are in.
#[derive(Debug)]
pub(crate) struct Junction(File);

/// A task to lay a cable to.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The task's namespace.
    pub(crate) namespace: PathBuf,
    /// The task's address.
    pub(crate) address: Ipv4Addr,
    /// Name of the junction's end.
    pub(crate) name: String,
}

impl Junction {
    /// Makes the junction. Must run on a thread of its own, whose namespace it is afterwards.
    pub(crate) fn make() -> Result<Self, NetworkError> {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|error| NetworkError::Namespace {
            step: "making the namespace of endpoints",
            source: error.into(),
        })?;
        // A new namespace has the first one's settings, forwarding among them.
        namespace::set("net/ipv4/ip_forward", "0")?;
        namespace::set("net/ipv4/conf/all/rp_filter", "1")?;
        if Path::new("/proc/sys/net/ipv6").exists() {
            namespace::set("net/ipv6/conf/all/disable_ipv6", "1")?;
            namespace::set("net/ipv6/conf/default/disable_ipv6", "1")?;
        }
        let mut kernel = Netlink::open().map_err(netlink("connecting to the kernel"))?;
        kernel.set_up(1, None).map_err(netlink("switching on the junction's loopback"))?;
        kernel
            .add_address(1, *ENDPOINT.ip(), 32, None)
            .map_err(netlink("giving the junction its address"))?;
        let own = Path::new("/proc/thread-self/ns/net");
        File::open(own).map(Self).map_err(file("opening", own))
    }

    /// Lays the cable to a task, replacing an old one, and listens at its end. Must run on a thread of its own.
    pub(crate) fn listen(&self, line: &Line) -> Result<TcpListener, NetworkError> {
        let task = File::open(&line.namespace).map_err(file("opening", &line.namespace))?;
        enter(&task)?;
        let mut inside = Netlink::open().map_err(netlink("connecting to the kernel"))?;
        // Of an agent that has died; the junction's end goes with it.
        inside.remove_link(TASK_INTERFACE).map_err(netlink("removing an old cable"))?;
        enter(&self.0)?;
        let mut junction = Netlink::open().map_err(netlink("connecting to the kernel"))?;
        let cable = Cable {
            host_name: &line.name,
            bridge: None,
            mtu: MTU,
            task_name: TASK_INTERFACE,
            task_mac: None,
            namespace: task.as_fd(),
        };
        junction.add_cable(&cable).map_err(netlink("laying the cable from junction to task"))?;
        connect(&mut junction, &line.name, line.address, *ENDPOINT.ip())?;
        connect(&mut inside, TASK_INTERFACE, *ENDPOINT.ip(), line.address)?;
        bound_to(&line.name)
    }
}

/// Switches a cable's end on and sends what is for `peer` through it, from `own`.
fn connect(kernel: &mut Netlink, interface: &str, peer: Ipv4Addr, own: Ipv4Addr) -> Result<(), NetworkError> {
    let index = kernel.link(interface).map_err(netlink("looking for a cable's end"))?;
    let index = index.ok_or_else(|| NetworkError::Config("the cable is gone".to_owned()))?;
    kernel.set_up(index, None).map_err(netlink("switching on a cable's end"))?;
    kernel.add_link_route(index, peer, own).map_err(netlink("setting the way through a cable"))
}

/// A listener of this thread's namespace that hears one interface only.
fn bound_to(interface: &str) -> Result<TcpListener, NetworkError> {
    let open = || -> nix::Result<TcpListener> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
        setsockopt(&socket, sockopt::BindToDevice, &OsString::from(interface))?;
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
        bind(socket.as_raw_fd(), &SockaddrIn::from(ENDPOINT))?;
        listen(&socket, Backlog::new(BACKLOG)?)?;
        Ok(TcpListener::from(socket))
    };
    open().map_err(|error| NetworkError::Endpoint(error.into()))
}

#[cfg(test)]
mod tests;
