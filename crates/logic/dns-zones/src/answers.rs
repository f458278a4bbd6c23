//! Answers from what a name server was told.

use crate::chance::Chance;
use crate::told::{Instance, RecordKind, Routing, Service, Zones};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Most instances that an answer tells of.
const MOST: usize = 8;
/// Priority and weight of SRV records, as Cloud Map gives them.
const EVEN: u16 = 1;
/// Seconds that an answer about a name that everybody sees may be kept; such names change with load balancers.
const TTL: u32 = 5;
/// The most addresses of such a name that are answered, so that they fit a datagram.
const MOST_ADDRESSES: usize = 24;

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

    fn asks_for(self, kind: RecordKind) -> bool {
        let own = match kind {
            RecordKind::A => Self::A,
            RecordKind::Aaaa => Self::AAAA,
            RecordKind::Srv => Self::SRV,
        };
        self == own || self == Self::ANY
    }
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

/// What is known of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoneAnswer {
    /// These records, in this order.
    Records(Vec<Record>),
    /// The name is there, and has no record of this type.
    NoData(Option<Authority>),
    /// There is no such name (NXDOMAIN).
    NoName(Authority),
}

/// What a name server was told, as it answers from it.
#[derive(Debug, Default)]
pub struct Answers {
    names: BTreeMap<String, Vec<Ipv4Addr>>,
    zones: Vec<IndexedZone>,
    /// Places of zones by their names.
    zones_by_name: HashMap<String, Vec<usize>>,
    /// Places of views by their clients.
    clients: HashMap<Ipv4Addr, usize>,
    views: Vec<HashSet<usize>>,
}

#[derive(Debug)]
struct IndexedZone {
    name: String,
    negative_ttl: u32,
    services: HashMap<String, IndexedService>,
    /// Names that names of services end with.
    above: HashSet<String>,
}

#[derive(Debug)]
struct IndexedService {
    service: Service,
    /// Places of instances by their ids in lower case, where SRV records point to their names.
    by_id: HashMap<String, usize>,
}

impl Answers {
    /// From names that everybody sees, and zones.
    pub fn new(names: BTreeMap<String, Vec<Ipv4Addr>>, told: Zones) -> Self {
        let mut all = Self { names, ..Self::default() };
        for (place, zone) in told.zones.into_iter().enumerate() {
            all.zones_by_name.entry(zone.name.clone()).or_default().push(place);
            all.zones.push(IndexedZone::new(zone.name, zone.negative_ttl, zone.services));
        }
        for (place, view) in told.views.into_iter().enumerate() {
            all.clients.extend(view.clients.into_iter().map(|client| (client, place)));
            all.views.push(view.zones.into_iter().collect());
        }
        all
    }

    /// Whether an address is that of a client.
    pub fn has_client(&self, address: Ipv4Addr) -> bool {
        self.clients.contains_key(&address)
    }

    /// What is known of a lower-case name without its last dot to the client at an address; `None` when it is in no zone that this
    /// client sees. `random` is a random number.
    pub fn answer(&self, asker: Ipv4Addr, name: &str, kind: RecordType, random: u64) -> Option<ZoneAnswer> {
        if let Some(addresses) = self.names.get(name) {
            return Some(of_name(addresses, kind));
        }
        let zone = self.zone_of(name, asker)?;
        let authority = Authority { zone: zone.name.clone(), ttl: zone.negative_ttl };
        let records = zone.services.get(name).and_then(|own| of_service(&own.service, kind, random));
        let records =
            records.or_else(|| zone.instance_named(name).map(|(own, one)| of_instance(own, one, kind)));
        Some(match records {
            Some(records) if !records.is_empty() => ZoneAnswer::Records(records),
            Some(_) => ZoneAnswer::NoData(Some(authority)),
            // The zone itself has a start of authority, and names above others are there though they hold nothing.
            None if name == zone.name || zone.above.contains(name) => ZoneAnswer::NoData(Some(authority)),
            None => ZoneAnswer::NoName(authority),
        })
    }

    /// The zone with the longest name that a name ends with, of those that the client sees.
    fn zone_of(&self, name: &str, asker: Ipv4Addr) -> Option<&IndexedZone> {
        let view = self.clients.get(&asker).and_then(|place| self.views.get(*place));
        suffixes(name).find_map(|suffix| {
            let mut places = self.zones_by_name.get(suffix)?.iter();
            let place = places.find(|place| view.is_none_or(|view| view.contains(place)))?;
            self.zones.get(*place)
        })
    }
}

impl IndexedZone {
    fn new(name: String, negative_ttl: u32, services: Vec<Service>) -> Self {
        let mut zone = Self { name, negative_ttl, services: HashMap::new(), above: HashSet::new() };
        for service in services {
            zone.above.extend(suffixes(&service.name).skip(1).map(str::to_owned));
            let has_names = service.records.iter().any(|set| set.kind == RecordKind::Srv);
            let ids = service.instances.iter().enumerate().filter(|_| has_names);
            let by_id = ids.map(|(place, one)| (one.id.to_ascii_lowercase(), place)).collect();
            zone.services.insert(service.name.clone(), IndexedService { service, by_id });
        }
        zone
    }

    /// The instance with a name below that of its service, if SRV records point there.
    fn instance_named(&self, name: &str) -> Option<(&Service, &Instance)> {
        suffixes(name).skip(1).find_map(|suffix| {
            let own = self.services.get(suffix)?;
            let id = name.strip_suffix(suffix)?.strip_suffix('.')?;
            Some((&own.service, own.service.instances.get(*own.by_id.get(id)?)?))
        })
    }
}

/// Other types than A exist for such a name too, but are empty.
fn of_name(addresses: &[Ipv4Addr], kind: RecordType) -> ZoneAnswer {
    if !kind.asks_for(RecordKind::A) || addresses.is_empty() {
        return ZoneAnswer::NoData(None);
    }
    let addresses = addresses.iter().take(MOST_ADDRESSES);
    ZoneAnswer::Records(addresses.map(|address| Record { ttl: TTL, data: RecordData::A(*address) }).collect())
}

/// The records of a service; `None` when no instance gives it one, and its name is not there.
fn of_service(service: &Service, kind: RecordType, random: u64) -> Option<Vec<Record>> {
    let mut found: Vec<&Instance> = service.instances.iter().filter(|one| one.healthy).collect();
    if found.is_empty() && service.routing == Routing::Weighted {
        found = service.instances.iter().collect();
    }
    if found.is_empty() {
        return None;
    }
    let most = match service.routing {
        Routing::MultiValue => MOST,
        Routing::Weighted => 1,
    };
    Chance::new(random).choose(&mut found, most);
    let sets = service.records.iter().filter(|set| kind.asks_for(set.kind));
    let records = sets.flat_map(|set| {
        found
            .iter()
            .filter_map(|one| Some(Record { ttl: set.ttl, data: data(set.kind, one, &service.name)? }))
    });
    Some(records.collect())
}

/// The addresses of an instance under its own name, to which SRV records point.
fn of_instance(service: &Service, instance: &Instance, kind: RecordType) -> Vec<Record> {
    let ttl = service.records.iter().find(|set| set.kind == RecordKind::Srv).map_or(0, |set| set.ttl);
    let kinds = [RecordKind::A, RecordKind::Aaaa].into_iter().filter(|own| kind.asks_for(*own));
    kinds.filter_map(|own| Some(Record { ttl, data: data(own, instance, &service.name)? })).collect()
}

fn data(kind: RecordKind, instance: &Instance, service: &str) -> Option<RecordData> {
    match kind {
        RecordKind::A => instance.v4.map(RecordData::A),
        RecordKind::Aaaa => instance.v6.map(RecordData::Aaaa),
        RecordKind::Srv => Some(RecordData::Srv {
            priority: EVEN,
            weight: EVEN,
            port: instance.port?,
            target: format!("{}.{service}", instance.id),
        }),
    }
}

/// A name, then what is left of it without its first label, and so on.
fn suffixes(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, rest)| rest))
}

#[cfg(test)]
mod tests;
