//! IPv4 subnets, and finding one that this machine does not use.

use nix::sys::socket::SockaddrIn;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// An IPv4 subnet in CIDR form; the address is the network's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subnet {
    network: u32,
    prefix: u8,
}

/// A text that is not a subnet.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not an IPv4 subnet such as 10.88.0.0/16")]
pub struct SubnetError(String);

impl Subnet {
    /// The subnet of this length that holds `address`; `None` for a length over 32.
    pub fn of(address: Ipv4Addr, prefix: u8) -> Option<Self> {
        (prefix <= 32).then(|| Self { network: u32::from(address) & mask(prefix), prefix })
    }

    /// Its first address, which names the network.
    pub fn network(self) -> Ipv4Addr {
        Ipv4Addr::from(self.network)
    }

    /// Its length.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// The first host address, which the bridge has.
    pub fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from(self.network | 1)
    }

    /// The last address, which reaches all.
    pub fn broadcast(self) -> Ipv4Addr {
        Ipv4Addr::from(self.network | !mask(self.prefix))
    }

    /// Whether `address` lies in it.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.prefix) == self.network
    }

    /// Whether a task may have `address`: inside, and neither network, gateway nor broadcast.
    pub fn is_host(self, address: Ipv4Addr) -> bool {
        self.contains(address) && ![self.network(), self.gateway(), self.broadcast()].contains(&address)
    }

    /// Whether the two share an address.
    pub fn overlaps(self, other: Self) -> bool {
        let shorter = self.prefix.min(other.prefix);
        self.network & mask(shorter) == other.network & mask(shorter)
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

impl FromStr for Subnet {
    type Err = SubnetError;

    fn from_str(text: &str) -> Result<Self, SubnetError> {
        let parse = || {
            let (address, prefix) = text.split_once('/')?;
            let address: Ipv4Addr = address.parse().ok()?;
            let subnet = Self::of(address, prefix.parse().ok()?)?;
            (subnet.network() == address).then_some(subnet)
        };
        parse().ok_or_else(|| SubnetError(text.chars().take(64).collect()))
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network(), self.prefix)
    }
}

/// The first of `candidates` that overlaps no route and no address of this machine, nor one of `taken`.
/// With no candidates, the usual private ranges `10.88.0.0/16` to `10.127.0.0/16` are tried.
pub fn pick_free_subnet(candidates: &[Subnet], taken: &[Subnet]) -> Option<Subnet> {
    let default: Vec<Subnet> =
        (88..128).filter_map(|second| Subnet::of(Ipv4Addr::new(10, second, 0, 0), 16)).collect();
    let used = used_subnets(None);
    let candidates = if candidates.is_empty() { &default } else { candidates };
    candidates
        .iter()
        .copied()
        .find(|candidate| !used.iter().chain(taken).any(|other| candidate.overlaps(*other)))
}

/// The largest packet of the interface that the default route leads through, or 1500.
pub(crate) fn outgoing_mtu() -> u32 {
    let routes = std::fs::read_to_string("/proc/thread-self/net/route").unwrap_or_default();
    let interface = routes.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (fields.get(1) == Some(&"00000000") && fields.get(7) == Some(&"00000000"))
            .then(|| fields[0].to_owned())
    });
    let mtu = interface.and_then(|interface| {
        std::fs::read_to_string(format!("/sys/class/net/{interface}/mtu")).ok()?.trim().parse().ok()
    });
    // Some interfaces allow more than the lines behind them.
    mtu.filter(|mtu| (576..=9000).contains(mtu)).unwrap_or(1500)
}

/// A network that this machine is in or has a route to, which shares an address with `range`; those of one interface do
/// not count.
pub fn network_in_use(range: Subnet, except: &str) -> Option<Subnet> {
    used_subnets(Some(except)).into_iter().find(|used| used.overlaps(range))
}

/// Subnets that routes or interface addresses of this network namespace use. Default routes do not count.
fn used_subnets(except: Option<&str>) -> Vec<Subnet> {
    let routes = std::fs::read_to_string("/proc/thread-self/net/route").unwrap_or_default();
    let mut used = parse_routes(&routes, except);
    if let Ok(interfaces) = nix::ifaddrs::getifaddrs() {
        for interface in interfaces.filter(|interface| except != Some(interface.interface_name.as_str())) {
            let address = interface.address.and_then(|a| a.as_sockaddr_in().map(SockaddrIn::ip));
            let netmask = interface.netmask.and_then(|a| a.as_sockaddr_in().map(SockaddrIn::ip));
            if let (Some(address), Some(netmask)) = (address, netmask) {
                used.extend(Subnet::of(address, u32::from(netmask).leading_ones() as u8));
            }
        }
    }
    used
}

/// Reads the kernel's route table, whose numbers are hexadecimal in network byte order read as little-endian.
fn parse_routes(table: &str, except: Option<&str>) -> Vec<Subnet> {
    table
        .lines()
        .skip(1)
        .filter(|line| except.is_none_or(|except| line.split_whitespace().next() != Some(except)))
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let number = |text: Option<&str>| u32::from_str_radix(text?, 16).ok().map(u32::from_be);
            let destination = number(fields.nth(1))?;
            let netmask = number(fields.nth(5))?;
            (netmask != 0)
                .then(|| Subnet::of(Ipv4Addr::from(destination), netmask.leading_ones() as u8))
                .flatten()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().expect(text)
    }

    #[test]
    fn parts_of_a_subnet() {
        let net = subnet("10.88.0.0/16");
        assert_eq!(net.gateway(), Ipv4Addr::new(10, 88, 0, 1));
        assert_eq!(net.broadcast(), Ipv4Addr::new(10, 88, 255, 255));
        assert!(net.is_host(Ipv4Addr::new(10, 88, 0, 2)));
        for not in ["10.88.0.0", "10.88.0.1", "10.88.255.255", "10.89.0.2"] {
            assert!(!net.is_host(not.parse().expect("an address")));
        }
        for text in ["10.88.0.1/16", "10.88.0.0", "10.88.0.0/33", "x/8"] {
            assert!(text.parse::<Subnet>().is_err());
        }
        assert!(subnet("0.0.0.0/0").overlaps(net));
        assert!(net.overlaps(subnet("10.88.4.0/24")));
        assert!(!net.overlaps(subnet("10.89.0.0/16")));
    }

    #[test]
    fn the_route_table_is_read() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\n\
            eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\n\
            eth0\t0000580A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\n";
        assert_eq!(parse_routes(table, None), [subnet("10.88.0.0/16")]);
        assert!(parse_routes(table, Some("eth0")).is_empty());
    }

    #[test]
    fn taken_subnets_are_passed_over() {
        let candidates = [subnet("127.0.0.0/16"), subnet("198.18.4.0/24"), subnet("198.18.5.0/24")];
        assert_eq!(pick_free_subnet(&candidates, &[subnet("198.18.4.0/30")]), Some(candidates[2]));
    }
}
