//! The few rtnetlink requests that a bridge with namespaces needs.
//!
//! A socket belongs to the network namespace of the thread that opens it, for as long as it lives. Requests are
//! acknowledged one by one and bounded in time.

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, setsockopt,
    socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_SETLINK: u16 = 19;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
const RTM_NEWROUTE: u16 = 24;
const RTM_NEWQDISC: u16 = 36;
const RTM_DELQDISC: u16 = 37;
const NLM_F_REQUEST: u16 = 0x001;
const NLM_F_ACK: u16 = 0x004;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_REPLACE: u16 = 0x100;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_MASTER: u16 = 10;
const IFLA_PROTINFO: u16 = 12;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PREFSRC: u16 = 7;
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_NETEM_LATENCY64: u16 = 10;
const TCA_NETEM_JITTER64: u16 = 11;
const NESTED: u16 = 0x8000;
/// `TC_H_ROOT`: what a queue hangs on that has none above it.
const ROOT: u32 = u32::MAX;
/// The queue that chooses, `1:`, and the first of its classes, `1:1`.
const CHOOSING: u32 = 0x1_0000;
const FIRST_CLASS: u32 = 0x1_0001;
/// The queue that delays, `10:`.
const DELAYING: u32 = 0x10_0000;
/// Packets that wait at a time; `tc` has the same.
const MOST_DELAYED: u32 = 1000;
const IFF_UP: u32 = 1;
const IFLA_BRPORT_ISOLATED: u16 = 33;
/// `AF_BRIDGE`: what is asked of an interface is for it as a port.
const BRIDGE_FAMILY: u8 = 7;

/// Longest wait for an answer of the kernel.
const WAIT_SECONDS: i64 = 10;
/// Room for one read of answers; the kernel fills at most 32 KiB at a time.
const BUFFER: usize = 64 * 1024;

/// An interface as a listing shows it.
#[derive(Debug, Default)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) alias: Option<String>,
    pub(crate) master: Option<u32>,
}

/// Both ends of a virtual cable.
pub(crate) struct Cable<'a> {
    pub(crate) host_name: &'a str,
    /// What the end outside of the task is plugged into.
    pub(crate) bridge: Option<u32>,
    pub(crate) mtu: u32,
    pub(crate) task_name: &'a str,
    /// The kernel chooses one when absent.
    pub(crate) task_mac: Option<[u8; 6]>,
    pub(crate) namespace: BorrowedFd<'a>,
}

/// How long packets are held back.
pub(crate) struct Delay {
    pub(crate) delay: Duration,
    /// How far it varies, to both sides.
    pub(crate) jitter: Duration,
}

/// A connection to the kernel's routing tables of one namespace.
pub(crate) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    /// For the namespace of the calling thread.
    pub(crate) fn open() -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::seconds(WAIT_SECONDS))?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        Ok(Self { socket, sequence: 0 })
    }

    pub(crate) fn add_bridge(&mut self, name: &str, mac: [u8; 6], mtu: u32) -> io::Result<()> {
        let mut message = Message::link(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, 0);
        message.text(IFLA_IFNAME, name);
        message.attribute(IFLA_MTU, &mtu.to_ne_bytes());
        // Given, not taken from the lowest port: it would change as tasks come and go, and their neighbour
        // tables would point nowhere.
        message.attribute(IFLA_ADDRESS, &mac);
        message.nest(IFLA_LINKINFO, |info| info.attribute(IFLA_INFO_KIND, b"bridge"));
        self.request(message)
    }

    /// Lays a cable into a namespace; both ends are still down.
    pub(crate) fn add_cable(&mut self, cable: &Cable<'_>) -> io::Result<()> {
        let mut message = Message::link(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, 0);
        message.text(IFLA_IFNAME, cable.host_name);
        message.attribute(IFLA_MTU, &cable.mtu.to_ne_bytes());
        if let Some(bridge) = cable.bridge {
            message.attribute(IFLA_MASTER, &bridge.to_ne_bytes());
        }
        message.nest(IFLA_LINKINFO, |info| {
            info.attribute(IFLA_INFO_KIND, b"veth");
            info.nest(IFLA_INFO_DATA, |data| {
                data.nest(VETH_INFO_PEER, |peer| {
                    peer.link_header(0, 0);
                    peer.text(IFLA_IFNAME, cable.task_name);
                    if let Some(mac) = cable.task_mac {
                        peer.attribute(IFLA_ADDRESS, &mac);
                    }
                    peer.attribute(IFLA_MTU, &cable.mtu.to_ne_bytes());
                    peer.attribute(IFLA_NET_NS_FD, &cable.namespace.as_raw_fd().to_ne_bytes());
                });
            });
        });
        self.request(message)
    }

    /// Switches an interface on, and notes what it is for.
    pub(crate) fn set_up(&mut self, index: u32, alias: Option<&str>) -> io::Result<()> {
        let mut message = Message::link(RTM_NEWLINK, 0, index, IFF_UP);
        if let Some(alias) = alias {
            message.text(IFLA_IFALIAS, alias);
        }
        self.request(message)
    }

    /// Removes an interface; `false` when there is none of this name.
    pub(crate) fn remove_link(&mut self, name: &str) -> io::Result<bool> {
        let mut message = Message::link(RTM_DELLINK, 0, 0, 0);
        message.text(IFLA_IFNAME, name);
        match self.request(message) {
            Ok(()) => Ok(true),
            Err(error) if error.raw_os_error() == Some(nix::errno::Errno::ENODEV as i32) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Gives an interface an address, if it does not have it yet.
    pub(crate) fn add_address(
        &mut self,
        index: u32,
        address: Ipv4Addr,
        prefix: u8,
        broadcast: Option<Ipv4Addr>,
    ) -> io::Result<()> {
        let mut message = Message::new(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
        message.bytes(&[AddressFamily::Inet as u8, prefix, 0, 0]);
        message.bytes(&index.to_ne_bytes());
        message.attribute(IFA_LOCAL, &address.octets());
        message.attribute(IFA_ADDRESS, &address.octets());
        if let Some(broadcast) = broadcast {
            message.attribute(IFA_BROADCAST, &broadcast.octets());
        }
        self.request(message)
    }

    /// Takes an address from an interface; `false` when it does not have it.
    pub(crate) fn remove_address(&mut self, index: u32, address: Ipv4Addr, prefix: u8) -> io::Result<bool> {
        let mut message = Message::new(RTM_DELADDR, 0);
        message.bytes(&[AddressFamily::Inet as u8, prefix, 0, 0]);
        message.bytes(&index.to_ne_bytes());
        message.attribute(IFA_LOCAL, &address.octets());
        match self.request(message) {
            Ok(()) => Ok(true),
            Err(error) if error.raw_os_error() == Some(nix::errno::Errno::EADDRNOTAVAIL as i32) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Keeps a port of a bridge from reaching other ports that are kept so.
    pub(crate) fn isolate(&mut self, index: u32) -> io::Result<()> {
        let mut message = Message::new(RTM_SETLINK, 0);
        message.bytes(&[BRIDGE_FAMILY, 0, 0, 0]);
        message.bytes(&index.to_ne_bytes());
        message.bytes(&[0; 8]);
        message.nest(IFLA_PROTINFO, |port| port.attribute(IFLA_BRPORT_ISOLATED, &[1]));
        self.request(message)
    }

    /// The IPv4 addresses of an interface with the bits of their masks.
    pub(crate) fn addresses(&mut self, index: u32) -> io::Result<Vec<(Ipv4Addr, u8)>> {
        let mut message = Message::new(RTM_GETADDR, NLM_F_DUMP);
        message.bytes(&[AddressFamily::Inet as u8, 0, 0, 0]);
        message.bytes(&0u32.to_ne_bytes());
        let sequence = self.send(message)?;
        let mut found = Vec::new();
        self.receive(sequence, |kind, body| {
            if kind == RTM_NEWADDR && word(body, 4) == index {
                found.extend(parse_address(body));
            }
        })?;
        Ok(found)
    }

    /// Sends everything that is not local through `gateway`.
    pub(crate) fn add_default_route(&mut self, index: u32, gateway: Ipv4Addr) -> io::Result<()> {
        let mut message = Message::new(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
        // Family, three lengths and a service type of zero; main table, static, universe, unicast; no flags.
        message.bytes(&[AddressFamily::Inet as u8, 0, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0]);
        message.attribute(RTA_GATEWAY, &gateway.octets());
        message.attribute(RTA_OIF, &index.to_ne_bytes());
        self.request(message)
    }

    /// Sends what is for `peer` through an interface, with `own` as its source.
    pub(crate) fn add_link_route(&mut self, index: u32, peer: Ipv4Addr, own: Ipv4Addr) -> io::Result<()> {
        let mut message = Message::new(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
        // One address; main table, static, on the link, unicast; no flags.
        message.bytes(&[AddressFamily::Inet as u8, 32, 0, 0, 254, 4, 253, 1, 0, 0, 0, 0]);
        message.attribute(RTA_DST, &peer.octets());
        message.attribute(RTA_OIF, &index.to_ne_bytes());
        message.attribute(RTA_PREFSRC, &own.octets());
        self.request(message)
    }

    /// Makes a network unreachable, unless a narrower route says otherwise.
    pub(crate) fn add_unreachable(&mut self, network: Ipv4Addr, prefix: u8) -> io::Result<()> {
        let mut message = Message::new(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
        // Main table, static, universe, unreachable; no flags.
        message.bytes(&[AddressFamily::Inet as u8, prefix, 0, 0, 254, 4, 0, 7, 0, 0, 0, 0]);
        message.attribute(RTA_DST, &network.octets());
        self.request(message)
    }

    /// All interfaces.
    pub(crate) fn links(&mut self) -> io::Result<Vec<Link>> {
        let sequence = self.send(Message::link(RTM_GETLINK, NLM_F_DUMP, 0, 0))?;
        let mut links = Vec::new();
        self.receive(sequence, |kind, body| {
            if kind == RTM_NEWLINK {
                links.extend(parse_link(body));
            }
        })?;
        Ok(links)
    }

    /// The interface of this name, if there is one.
    pub(crate) fn link(&mut self, name: &str) -> io::Result<Option<u32>> {
        let mut message = Message::link(RTM_GETLINK, NLM_F_ACK, 0, 0);
        message.text(IFLA_IFNAME, name);
        let sequence = self.send(message)?;
        let mut found = None;
        let result = self.receive(sequence, |kind, body| {
            if kind == RTM_NEWLINK {
                found = parse_link(body).map(|link| link.index);
            }
        });
        match result {
            Ok(()) => Ok(found),
            Err(error) if error.raw_os_error() == Some(nix::errno::Errno::ENODEV as i32) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives an interface queues that delay packets whose priority is the class `1:1`, and no others.
    pub(crate) fn add_delay(&mut self, index: u32, delay: &Delay) -> io::Result<()> {
        let mut choosing = Message::queue(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, index, (CHOOSING, ROOT));
        choosing.text(TCA_KIND, "prio");
        // Three classes; a priority that names none has the last.
        choosing.attribute(TCA_OPTIONS, &[&3u32.to_ne_bytes()[..], &[2; 16]].concat());
        self.request(choosing)?;
        let mut delaying =
            Message::queue(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, index, (DELAYING, FIRST_CLASS));
        delaying.text(TCA_KIND, "netem");
        // A structure of six words of which only the limit counts, and then attributes in nanoseconds.
        let mut options = Message(Vec::new());
        for word in [0, MOST_DELAYED, 0, 0, 0, 0] {
            options.bytes(&word.to_ne_bytes());
        }
        let nanos = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX).to_ne_bytes();
        options.attribute(TCA_NETEM_LATENCY64, &nanos(delay.delay));
        options.attribute(TCA_NETEM_JITTER64, &nanos(delay.jitter));
        delaying.attribute(TCA_OPTIONS, &options.0);
        let added = self.request(delaying);
        if added.is_err() {
            self.remove_queue(index)?;
        }
        added
    }

    /// Takes the queues of [`Self::add_delay`] away, and what waits in them; nothing happens when there are none.
    pub(crate) fn remove_queue(&mut self, index: u32) -> io::Result<()> {
        let message = Message::queue(RTM_DELQDISC, 0, index, (CHOOSING, ROOT));
        // None, or the one that every interface has.
        let absent = [nix::errno::Errno::ENOENT as i32, nix::errno::Errno::EINVAL as i32];
        match self.request(message) {
            Err(error) if error.raw_os_error().is_some_and(|code| absent.contains(&code)) => Ok(()),
            other => other,
        }
    }

    fn request(&mut self, mut message: Message) -> io::Result<()> {
        message.add_flags(NLM_F_ACK);
        let sequence = self.send(message)?;
        self.receive(sequence, |_, _| {})
    }

    fn send(&mut self, message: Message) -> io::Result<u32> {
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = message.finish(self.sequence);
        send(self.socket.as_raw_fd(), &bytes, MsgFlags::empty())?;
        Ok(self.sequence)
    }

    /// Reads answers to the request `sequence` until it is acknowledged or its list ends.
    fn receive(&mut self, sequence: u32, mut each: impl FnMut(u16, &[u8])) -> io::Result<()> {
        let mut buffer = vec![0u8; BUFFER];
        loop {
            let length = match recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Err(nix::errno::Errno::EINTR) => continue,
                other => other?,
            };
            let mut rest = &buffer[..length];
            while rest.len() >= 16 {
                let size = word(rest, 0) as usize;
                if size < 16 || size > rest.len() {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "torn netlink message"));
                }
                let (kind, body) = (u16::from_ne_bytes([rest[4], rest[5]]), &rest[16..size]);
                let ours = word(rest, 8) == sequence;
                rest = &rest[size.next_multiple_of(4).min(rest.len())..];
                match kind {
                    _ if !ours => {}
                    NLMSG_DONE => return Ok(()),
                    NLMSG_ERROR if body.len() >= 4 => {
                        return match word(body, 0).cast_signed() {
                            0 => Ok(()),
                            error => Err(io::Error::from_raw_os_error(-error)),
                        };
                    }
                    kind => each(kind, body),
                }
            }
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |word| u32::from_ne_bytes([word[0], word[1], word[2], word[3]]))
}

fn parse_address(body: &[u8]) -> Option<(Ipv4Addr, u8)> {
    let prefix = *body.get(1)?;
    let mut rest = body.get(8..)?;
    while rest.len() >= 4 {
        let size = usize::from(u16::from_ne_bytes([rest[0], rest[1]]));
        let kind = u16::from_ne_bytes([rest[2], rest[3]]);
        let value = rest.get(4..size)?;
        if kind == IFA_LOCAL {
            let octets: [u8; 4] = value.try_into().ok()?;
            return Some((Ipv4Addr::from(octets), prefix));
        }
        rest = &rest[size.next_multiple_of(4).min(rest.len())..];
    }
    None
}

fn parse_link(body: &[u8]) -> Option<Link> {
    let mut link = Link { index: word(body, 4), ..Link::default() };
    let mut rest = body.get(16..)?;
    while rest.len() >= 4 {
        let size = usize::from(u16::from_ne_bytes([rest[0], rest[1]]));
        let kind = u16::from_ne_bytes([rest[2], rest[3]]) & !NESTED;
        let value = rest.get(4..size)?;
        let text = || {
            let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
            String::from_utf8_lossy(&value[..end]).into_owned()
        };
        match kind {
            IFLA_IFNAME => link.name = text(),
            IFLA_IFALIAS => link.alias = Some(text()),
            IFLA_MASTER => link.master = Some(word(value, 0)),
            _ => {}
        }
        rest = &rest[size.next_multiple_of(4).min(rest.len())..];
    }
    Some(link)
}

/// A request in the making.
struct Message(Vec<u8>);

impl Message {
    fn new(kind: u16, flags: u16) -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend([0; 4]);
        bytes.extend(kind.to_ne_bytes());
        bytes.extend((flags | NLM_F_REQUEST).to_ne_bytes());
        // Sequence number, and the sender, which the kernel fills in.
        bytes.extend([0; 8]);
        Self(bytes)
    }

    /// A request about a queue with a handle, below another.
    fn queue(kind: u16, flags: u16, index: u32, (handle, parent): (u32, u32)) -> Self {
        let mut message = Self::new(kind, flags);
        message.bytes(&[0; 4]);
        for word in [index, handle, parent, 0] {
            message.bytes(&word.to_ne_bytes());
        }
        message
    }

    fn link(kind: u16, flags: u16, index: u32, up: u32) -> Self {
        let mut message = Self::new(kind, flags);
        message.link_header(index, up);
        message
    }

    fn link_header(&mut self, index: u32, up: u32) {
        self.bytes(&[0; 4]);
        self.bytes(&index.to_ne_bytes());
        // The flags, and which of them to change.
        self.bytes(&up.to_ne_bytes());
        self.bytes(&up.to_ne_bytes());
    }

    fn add_flags(&mut self, flags: u16) {
        let flags = flags | u16::from_ne_bytes([self.0[6], self.0[7]]);
        self.0[6..8].copy_from_slice(&flags.to_ne_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.0.extend((4 + value.len() as u16).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.pad();
    }

    fn text(&mut self, kind: u16, value: &str) {
        self.attribute(kind, &[value.as_bytes(), &[0]].concat());
    }

    fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.0.extend([0; 2]);
        self.0.extend((kind | NESTED).to_ne_bytes());
        fill(self);
        let length = (self.0.len() - start) as u16;
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.pad();
    }

    fn pad(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_found() {
        let mut netlink = Netlink::open().expect("opens");
        let links = netlink.links().expect("lists");
        assert!(links.iter().any(|link| link.name == "lo" && link.index == 1));
        assert_eq!(netlink.link("lo").expect("asks"), Some(1));
        assert_eq!(netlink.link("longshore-none").expect("asks"), None);
        assert!(!netlink.remove_link("longshore-none").expect("asks"));
    }
}
