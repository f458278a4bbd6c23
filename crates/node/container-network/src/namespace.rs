//! One task's network namespace: made, mounted under a name, connected, removed.
//!
//! Making one changes the namespace of the thread that does it, so that thread is made for this and ends with it.

use crate::error::NetworkError;
use crate::netlink::{Cable, Netlink};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// The interface's name inside of the namespace.
pub(crate) const TASK_INTERFACE: &str = "eth0";

/// Link-local addresses, among them those at which clouds offer credentials to a machine.
pub(crate) const LINK_LOCAL: (Ipv4Addr, u8) = (Ipv4Addr::new(169, 254, 0, 0), 16);

/// What a namespace is connected to.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) id: String,
    pub(crate) path: PathBuf,
    pub(crate) bridge: String,
    pub(crate) host_interface: String,
    pub(crate) mac: [u8; 6],
    pub(crate) mtu: u32,
    pub(crate) address: Ipv4Addr,
    pub(crate) prefix: u8,
    pub(crate) broadcast: Ipv4Addr,
    pub(crate) gateway: Ipv4Addr,
}

/// Makes the namespace. Must run on a thread of its own, whose namespace is the new one afterwards. What was made
/// before a failure is left for [`remove`].
pub(crate) fn make(connection: &Connection) -> Result<(), NetworkError> {
    let mut host = Netlink::open().map_err(netlink("connecting to the kernel"))?;
    let bridge = host
        .link(&connection.bridge)
        .map_err(netlink("looking for the bridge"))?
        .ok_or_else(|| NetworkError::Config(format!("the bridge {} is gone", connection.bridge)))?;
    unshare(CloneFlags::CLONE_NEWNET).map_err(|error| NetworkError::Namespace {
        step: "making a network namespace",
        source: error.into(),
    })?;
    let own = Path::new("/proc/thread-self/ns/net");
    let namespace = File::open(own).map_err(file("opening", own))?;
    let path = &connection.path;
    File::create(path).map_err(file("making", path))?;
    mount(Some(own), path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .map_err(|error| file("mounting a namespace on", path)(error.into()))?;

    let cable = Cable {
        host_name: &connection.host_interface,
        bridge: Some(bridge),
        mtu: connection.mtu,
        task_name: TASK_INTERFACE,
        task_mac: Some(connection.mac),
        namespace: namespace.as_fd(),
    };
    host.add_cable(&cable).map_err(netlink("laying the cable from bridge to task"))?;
    let end = host.link(&connection.host_interface).map_err(netlink("looking for the cable's end"))?;
    let end = end.ok_or_else(|| NetworkError::Config("the cable is gone".to_owned()))?;
    host.isolate(end).map_err(netlink("isolating the bridge's end"))?;
    host.set_up(end, Some(&connection.id)).map_err(netlink("switching on the bridge's end"))?;

    let mut inside = Netlink::open().map_err(netlink("connecting to the kernel"))?;
    // The loopback interface is always the first.
    inside.set_up(1, None).map_err(netlink("switching on loopback"))?;
    let end = inside.link(TASK_INTERFACE).map_err(netlink("looking for the task's interface"))?;
    let end = end.ok_or_else(|| NetworkError::Config("the task's interface is gone".to_owned()))?;
    inside
        .add_address(end, connection.address, connection.prefix, Some(connection.broadcast))
        .map_err(netlink("giving the task its address"))?;
    inside.set_up(end, None).map_err(netlink("switching on the task's interface"))?;
    inside.add_default_route(end, connection.gateway).map_err(netlink("setting the task's way out"))?;
    // Link-local addresses are services of the machine that one is on, and a task's are only those that it is given.
    inside
        .add_unreachable(LINK_LOCAL.0, LINK_LOCAL.1)
        .map_err(netlink("closing the way to link-local addresses"))?;
    // As docker has it: low ports and ping need no privilege in a namespace of one's own.
    set("net/ipv4/ip_unprivileged_port_start", "0")?;
    set("net/ipv4/ping_group_range", "0 2147483647")
}

/// Removes the cable, the mount and the name, as far as they are there. Changes no thread's namespace.
pub(crate) fn remove(path: &Path, host_interface: &str) -> Result<(), NetworkError> {
    // First, for a process that keeps the namespace alive would keep the address too.
    let mut host = Netlink::open().map_err(netlink("connecting to the kernel"))?;
    host.remove_link(host_interface).map_err(netlink("removing the task's interface"))?;
    unmount(path)
}

/// Removes mount and name.
pub(crate) fn unmount(path: &Path) -> Result<(), NetworkError> {
    use nix::errno::Errno;
    loop {
        match umount2(path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
            // Mounted twice if a crash came at the wrong moment.
            Ok(()) => {}
            Err(Errno::EINVAL | Errno::ENOENT) => break,
            Err(error) => return Err(file("unmounting", path)(error.into())),
        }
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file("removing", path)(error)),
        _ => Ok(()),
    }
}

/// Takes this thread into a network namespace.
pub(crate) fn enter(namespace: &File) -> Result<(), NetworkError> {
    setns(namespace, CloneFlags::CLONE_NEWNET)
        .map_err(|error| NetworkError::Namespace { step: "entering a namespace", source: error.into() })
}

/// Whether a namespace is mounted there.
pub(crate) fn is_mounted(path: &Path) -> bool {
    nix::sys::statfs::statfs(path).is_ok_and(|stat| stat.filesystem_type() == nix::sys::statfs::NSFS_MAGIC)
}

/// Sets a kernel parameter of this thread's namespace.
pub(crate) fn set(name: &str, value: &str) -> Result<(), NetworkError> {
    let path = Path::new("/proc/sys").join(name);
    fs::write(&path, value).map_err(file("writing", &path))
}

pub(crate) fn file(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> NetworkError {
    let path = path.to_owned();
    move |source| NetworkError::File { step, path, source }
}

pub(crate) fn netlink(step: &'static str) -> impl FnOnce(io::Error) -> NetworkError {
    move |source| NetworkError::Netlink { step: step.to_owned(), source }
}
