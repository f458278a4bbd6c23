//! Rows of Cloud Map by what belongs together, and the zones that they make.

use dns_zones as told;
use identifiers::AccountId;
use resources::Stored;
use resources::discovery::{
    DiscoveryService, HealthStatus, Instance, Namespace, NamespaceKind, RecordKind, RoutingPolicy,
};
use resources::ec2::NetworkInterface;
use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Rows by their keys.
#[derive(Default)]
pub(super) struct Index {
    namespaces: BTreeMap<String, Arc<Namespace>>,
    services: BTreeMap<String, Arc<DiscoveryService>>,
    /// Instances by the key of their service and their id in lower case.
    instances: HashMap<String, BTreeMap<String, Arc<Instance>>>,
    /// Who is at which addresses: account and VPC.
    clients: HashMap<Ipv4Addr, (AccountId, String)>,
    /// Addresses of network interfaces by their keys.
    addresses: HashMap<String, Ipv4Addr>,
}

impl Index {
    pub(super) fn put_namespace(&mut self, row: Arc<Namespace>) {
        self.namespaces.insert(row.key(), row);
    }

    pub(super) fn drop_namespace(&mut self, key: &str) {
        self.namespaces.remove(key);
    }

    pub(super) fn put_service(&mut self, row: Arc<DiscoveryService>) {
        self.services.insert(row.key(), row);
    }

    pub(super) fn drop_service(&mut self, key: &str) {
        self.services.remove(key);
    }

    pub(super) fn put_instance(&mut self, row: Arc<Instance>) {
        let service = DiscoveryService::key_of(&row.account, &row.service);
        self.instances.entry(service).or_default().insert(row.id.to_ascii_lowercase(), row);
    }

    pub(super) fn drop_instance(&mut self, key: &str) {
        // Account, service and id; the id may hold slashes.
        let Some((at, _)) = key.match_indices('/').nth(1) else { return };
        let (service, id) = (&key[..at], &key[at + 1..]);
        if let Some(instances) = self.instances.get_mut(service) {
            instances.remove(&id.to_ascii_lowercase());
            if instances.is_empty() {
                self.instances.remove(service);
            }
        }
    }

    pub(super) fn put_interface(&mut self, row: &NetworkInterface) {
        self.clients.insert(row.address, (row.account.clone(), row.vpc.clone()));
        self.addresses.insert(row.key(), row.address);
    }

    pub(super) fn drop_interface(&mut self, key: &str) {
        let Some(address) = self.addresses.remove(key) else { return };
        // Another interface may have the address by now, and its row may have been seen before.
        if !self.addresses.values().any(|own| *own == address) {
            self.clients.remove(&address);
        }
    }

    /// The zones that the rows make, and who sees which. The same rows make the same zones.
    pub(super) fn zones(&self) -> told::Zones {
        let mut zones = Vec::new();
        let mut places = HashMap::new();
        let mut by_vpc: BTreeMap<(&AccountId, &str), Vec<usize>> = BTreeMap::new();
        for (key, namespace) in &self.namespaces {
            let NamespaceKind::PrivateDns { vpc, soa_ttl, .. } = &namespace.kind else { continue };
            by_vpc.entry((&namespace.account, vpc)).or_default().push(zones.len());
            places.insert(key.as_str(), zones.len());
            let name = namespace.name.to_ascii_lowercase();
            zones.push(told::Zone { name, negative_ttl: *soa_ttl, services: Vec::new() });
        }
        for (key, service) in &self.services {
            let of = Namespace::key_of(&service.account, &service.namespace);
            let Some(place) = places.get(of.as_str()) else { continue };
            if let (Some(namespace), Some(instances)) = (self.namespaces.get(&of), self.instances.get(key)) {
                zones[*place].services.extend(service_of(service, namespace, instances.values()));
            }
        }
        told::Zones { zones, views: self.views(&by_vpc) }
    }

    fn views(&self, zones: &BTreeMap<(&AccountId, &str), Vec<usize>>) -> Vec<told::View> {
        let mut views: BTreeMap<(&AccountId, &str), Vec<Ipv4Addr>> = BTreeMap::new();
        for (address, (account, vpc)) in &self.clients {
            views.entry((account, vpc)).or_default().push(*address);
        }
        let views = views.into_iter().map(|(vpc, mut clients)| {
            clients.sort_unstable();
            told::View { zones: zones.get(&vpc).cloned().unwrap_or_default(), clients }
        });
        views.collect()
    }
}

/// A service as it is told; nothing when its instances have no records.
fn service_of<'a>(
    service: &DiscoveryService,
    namespace: &Namespace,
    instances: impl Iterator<Item = &'a Arc<Instance>>,
) -> Option<told::Service> {
    let dns = service.dns.as_ref()?;
    let records =
        dns.records.iter().map(|record| told::RecordSet { kind: kind(record.kind), ttl: record.ttl });
    let instances = instances.map(|one| told::Instance {
        id: one.id.clone(),
        healthy: one.health(service) != HealthStatus::Unhealthy,
        v4: one.ipv4(),
        v6: one.ipv6(),
        port: one.port(),
    });
    Some(told::Service {
        name: service.dns_name(namespace),
        routing: match dns.routing {
            RoutingPolicy::MultiValue => told::Routing::MultiValue,
            RoutingPolicy::Weighted => told::Routing::Weighted,
        },
        records: records.collect(),
        instances: instances.collect(),
    })
}

fn kind(kind: RecordKind) -> told::RecordKind {
    match kind {
        RecordKind::A => told::RecordKind::A,
        RecordKind::Aaaa => told::RecordKind::Aaaa,
        RecordKind::Srv => told::RecordKind::Srv,
    }
}
