//! Rows of Cloud Map by the names that they make.

use identifiers::AccountId;
use resources::Stored;
use resources::discovery::{DiscoveryService, Instance, Namespace, NamespaceKind, RecordKind};
use resources::ec2::NetworkInterface;
use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Rows by their keys, and keys by names.
#[derive(Default)]
pub(super) struct Index {
    namespaces: BTreeMap<String, Arc<Namespace>>,
    services: BTreeMap<String, Arc<DiscoveryService>>,
    /// Instances by the key of their service and their id in lower case.
    instances: HashMap<String, BTreeMap<String, Arc<Instance>>>,
    /// Who is at which addresses.
    askers: HashMap<Ipv4Addr, Asker>,
    /// Addresses of network interfaces by their keys.
    addresses: HashMap<String, Ipv4Addr>,
    /// Keys of namespaces with DNS by the names of their zones.
    zones: HashMap<String, Vec<String>>,
    /// Keys of services with records by the key of their namespace and their whole name.
    names: HashMap<String, BTreeMap<String, String>>,
}

/// Whose network interface asks, and from which VPC.
pub(super) struct Asker {
    account: AccountId,
    vpc: String,
}

impl Asker {
    /// Whether the names of a namespace are there for it.
    fn sees(&self, namespace: &Namespace) -> bool {
        let is_in = match &namespace.kind {
            NamespaceKind::PrivateDns { vpc, .. } => *vpc == self.vpc,
            NamespaceKind::Http => false,
        };
        is_in && namespace.account == self.account
    }
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
        let asker = Asker { account: row.account.clone(), vpc: row.vpc.clone() };
        self.askers.insert(row.address, asker);
        self.addresses.insert(row.key(), row.address);
    }

    pub(super) fn drop_interface(&mut self, key: &str) {
        let Some(address) = self.addresses.remove(key) else { return };
        // Another interface may have the address by now, and its row may have been seen before.
        if !self.addresses.values().any(|own| *own == address) {
            self.askers.remove(&address);
        }
    }

    /// Finds the names anew, after namespaces or services have changed.
    pub(super) fn name_all(&mut self) {
        self.zones.clear();
        self.names.clear();
        for (key, namespace) in self.namespaces.iter().filter(|(_, namespace)| namespace.has_dns()) {
            self.zones.entry(namespace.name.to_ascii_lowercase()).or_default().push(key.clone());
        }
        for (key, service) in self.services.iter().filter(|(_, service)| service.dns.is_some()) {
            let of = Namespace::key_of(&service.account, &service.namespace);
            if let Some(namespace) = self.namespaces.get(&of) {
                self.names.entry(of).or_default().insert(service.dns_name(namespace), key.clone());
            }
        }
    }

    /// Whose network interface has an address.
    pub(super) fn asker_at(&self, address: Ipv4Addr) -> Option<&Asker> {
        self.askers.get(&address)
    }

    /// The namespace with the longest name that a name ends with, of those that are there for who asks; without anybody, of
    /// all.
    pub(super) fn zone_of(&self, name: &str, asker: Option<&Asker>) -> Option<&Arc<Namespace>> {
        let sees = |namespace: &&Arc<Namespace>| asker.is_none_or(|asker| asker.sees(namespace));
        suffixes(name).find_map(|suffix| {
            let keys = self.zones.get(suffix)?;
            keys.iter().filter_map(|key| self.namespaces.get(key)).find(sees)
        })
    }

    /// The service with a name in a namespace, and its instances.
    pub(super) fn service_named(
        &self,
        namespace: &str,
        name: &str,
    ) -> Option<(&Arc<DiscoveryService>, Vec<&Arc<Instance>>)> {
        let key = self.names.get(namespace)?.get(name)?;
        let instances = self.instances.get(key).into_iter().flat_map(BTreeMap::values);
        Some((self.services.get(key)?, instances.collect()))
    }

    /// The instance with a name below that of its service, if its service has SRV records that point there.
    pub(super) fn instance_named(
        &self,
        namespace: &str,
        name: &str,
    ) -> Option<(&Arc<DiscoveryService>, &Arc<Instance>)> {
        let names = self.names.get(namespace)?;
        suffixes(name).skip(1).find_map(|suffix| {
            let key = names.get(suffix)?;
            let service = self.services.get(key)?;
            service.record(RecordKind::Srv)?;
            let id = name.strip_suffix(suffix)?.strip_suffix('.')?;
            Some((service, self.instances.get(key)?.get(id)?))
        })
    }

    /// Whether there is a service with instances whose name ends with a name.
    pub(super) fn has_below(&self, namespace: &str, name: &str) -> bool {
        let is_below = |own: &str| own.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
        let mut names = self.names.get(namespace).into_iter().flatten();
        names.any(|(own, key)| is_below(own) && self.instances.contains_key(key))
    }
}

/// A name, then what is left of it without its first label, and so on.
fn suffixes(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, rest)| rest))
}
