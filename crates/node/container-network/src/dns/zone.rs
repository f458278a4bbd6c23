//! Where the name server finds what it answers by itself: sources of zones, and names that it was told.

use parking_lot::RwLock;
use std::collections::HashMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Seconds that an answer about a name that was told may be kept; such names change with their tasks.
const TTL: u32 = 5;
/// The most addresses of a name that are answered, so that they fit a datagram.
const MAX_ADDRESSES: usize = 24;

/// A type of resource records, as its number (RFC 1035, RFC 3596, RFC 2782).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordType(pub u16);

impl RecordType {
    /// IPv4 addresses.
    pub const A: Self = Self(1);
    /// The start of a zone's authority.
    pub const SOA: Self = Self(6);
    /// IPv6 addresses.
    pub const AAAA: Self = Self(28);
    /// Places of a service: names and ports.
    pub const SRV: Self = Self(33);
    /// All that there are.
    pub const ANY: Self = Self(255);
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordData {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// A place of a service.
    Srv {
        /// The lowest is tried first.
        priority: u16,
        /// Share among those of one priority.
        weight: u16,
        /// Its port.
        port: u16,
        /// Its name, without the last dot.
        target: String,
    },
}

/// A record of the name that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Seconds that it may be kept.
    pub ttl: u32,
    /// What it says.
    pub data: RecordData,
}

/// The zone that a name is in, for answers that say that there is nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Its name, without the last dot.
    pub zone: String,
    /// Seconds that such an answer may be kept.
    pub ttl: u32,
}

/// What a source knows of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoneAnswer {
    /// These records, in this order. Those of other types than asked for are left out of the answer.
    Records(Vec<Record>),
    /// The name is there, and has no record of this type.
    NoData(Option<Authority>),
    /// There is no such name (NXDOMAIN).
    NoName(Authority),
}

/// A source of zones: private namespaces, names of load balancers.
pub trait ZoneSource: Send + Sync + 'static {
    /// What is known of `name`, which is lower-case and without its last dot, to the machine that asks; `None` when no
    /// zone of this source holds it, so that others are asked. Called for each query: answers from memory, at once.
    fn answer(&self, asker: Ipv4Addr, name: &str, kind: RecordType) -> Option<ZoneAnswer>;
}

/// The sources that a name server asks, in the order in which they were added, before it forwards a query. Cheap to
/// clone; changes take effect at once.
#[derive(Clone, Default)]
pub struct Zones(Arc<RwLock<Vec<Arc<dyn ZoneSource>>>>);

impl Zones {
    /// Adds a source.
    pub fn add(&self, source: Arc<dyn ZoneSource>) {
        self.0.write().push(source);
    }
}

impl ZoneSource for Zones {
    /// The first answer of a source that holds the name.
    fn answer(&self, asker: Ipv4Addr, name: &str, kind: RecordType) -> Option<ZoneAnswer> {
        self.0.read().iter().find_map(|source| source.answer(asker, name, kind))
    }
}

impl fmt::Debug for Zones {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zones({})", self.0.read().len())
    }
}

/// Names the network's name server answers itself. Cheap to clone; changes take effect at once.
#[derive(Clone, Debug, Default)]
pub struct Names(Arc<RwLock<HashMap<String, Vec<Ipv4Addr>>>>);

impl Names {
    /// Sets the addresses of a name; none removes it.
    pub fn set(&self, name: &str, addresses: Vec<Ipv4Addr>) {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if addresses.is_empty() {
            self.0.write().remove(&name);
        } else {
            self.0.write().insert(name, addresses);
        }
    }

    /// The addresses of a name, if it is one of ours.
    pub fn get(&self, name: &str) -> Option<Vec<Ipv4Addr>> {
        self.0.read().get(&name.trim_end_matches('.').to_ascii_lowercase()).cloned()
    }
}

impl ZoneSource for Names {
    /// Other types than A exist for such a name too, but are empty.
    fn answer(&self, _asker: Ipv4Addr, name: &str, kind: RecordType) -> Option<ZoneAnswer> {
        let addresses = self.0.read().get(name).cloned()?;
        if kind != RecordType::A {
            return Some(ZoneAnswer::NoData(None));
        }
        let records = addresses.into_iter().take(MAX_ADDRESSES);
        Some(ZoneAnswer::Records(
            records.map(|address| Record { ttl: TTL, data: RecordData::A(address) }).collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(&'static str);

    impl ZoneSource for Fixed {
        fn answer(&self, _asker: Ipv4Addr, name: &str, _kind: RecordType) -> Option<ZoneAnswer> {
            name.ends_with(self.0).then(|| ZoneAnswer::NoName(Authority { zone: self.0.to_owned(), ttl: 15 }))
        }
    }

    #[test]
    fn the_first_source_that_holds_a_name_answers() {
        let (zones, names, asker) = (Zones::default(), Names::default(), Ipv4Addr::new(10, 0, 0, 2));
        names.set("Web.Local.", vec![Ipv4Addr::new(10, 0, 0, 9)]);
        zones.add(Arc::new(names.clone()));
        zones.add(Arc::new(Fixed("local")));
        let own = Record { ttl: TTL, data: RecordData::A(Ipv4Addr::new(10, 0, 0, 9)) };
        let answer = |name| zones.answer(asker, name, RecordType::A);
        assert_eq!(answer("web.local"), Some(ZoneAnswer::Records(vec![own])));
        assert_eq!(zones.answer(asker, "web.local", RecordType::SRV), Some(ZoneAnswer::NoData(None)));
        assert!(matches!(answer("other.local"), Some(ZoneAnswer::NoName(_))));
        assert_eq!(answer("example.com"), None);
        names.set("web.local", vec![]);
        assert!(matches!(answer("web.local"), Some(ZoneAnswer::NoName(_))));
    }
}
