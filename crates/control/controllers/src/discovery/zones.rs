//! The zones of private namespaces, from memory.
//!
//! What Cloud Map and Route 53 do of it: a name is there as long as its service has an instance with a record. With
//! MULTIVALUE an answer tells of up to eight healthy instances in changing order, with WEIGHTED of one at random, healthy
//! if any is. An SRV record points to the name of its instance below that of the service, which has its addresses. Tasks
//! see the namespaces of the VPC that they are in; the host itself sees all.

mod index;

use environment::Environment;
use index::Index;
use parking_lot::RwLock;
use resources::Stored;
use resources::discovery::{
    DiscoveryService, HealthStatus, Instance, Namespace, NamespaceKind, RecordKind, RoutingPolicy,
};
use resources::ec2::NetworkInterface;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;
use store::{StoreError, TableChange, TableWatch, Tables, Versioned};
use tokio_util::sync::CancellationToken;

/// Most instances that an answer tells of.
const MOST: usize = 8;
/// Wait before a lost watch is begun anew, when the store fails.
const AGAIN: Duration = Duration::from_millis(200);

/// The records that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Those of a type that services have.
    Of(RecordKind),
    /// All.
    Any,
    /// Those of a type that no service has.
    Other,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
    /// A name with addresses, and a port. Priority and weight are 1, as with Cloud Map.
    Port(String, u16),
}

/// What is known of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// These places, each with the seconds that it may be kept.
    Places(Vec<(u32, Place)>),
    /// The name is there, without a record of this type; name and negative TTL of its zone.
    Nothing(String, u32),
    /// There is no such name; name and negative TTL of its zone.
    NoName(String, u32),
}

/// The zones; cheap to clone.
#[derive(Clone)]
pub struct Zones {
    index: Arc<RwLock<Index>>,
    environment: Environment,
}

/// The watches that keep them.
struct Watches {
    namespaces: TableWatch<Namespace>,
    services: TableWatch<DiscoveryService>,
    instances: TableWatch<Instance>,
    interfaces: TableWatch<NetworkInterface>,
}

impl Zones {
    /// The zones as the store has them now, and what keeps them so until `stop`.
    pub async fn open(
        tables: Tables,
        stop: CancellationToken,
    ) -> Result<(Self, impl Future<Output = ()> + Send), StoreError> {
        let zones = Self { index: Arc::default(), environment: tables.environment().clone() };
        let watches = zones.load(&tables).await?;
        Ok((zones.clone(), zones.follow(tables, watches, stop)))
    }

    async fn load(&self, tables: &Tables) -> Result<Watches, StoreError> {
        let (all_namespaces, namespaces) = tables.list_and_watch::<Namespace>("").await?;
        let (all_services, services) = tables.list_and_watch::<DiscoveryService>("").await?;
        let (all_instances, instances) = tables.list_and_watch::<Instance>("").await?;
        let (all_interfaces, interfaces) = tables.list_and_watch::<NetworkInterface>("").await?;
        let mut index = Index::default();
        for row in all_namespaces {
            index.put_namespace(row.value);
        }
        for row in all_services {
            index.put_service(row.value);
        }
        for row in all_instances {
            index.put_instance(row.value);
        }
        for row in all_interfaces {
            index.put_interface(&row);
        }
        index.name_all();
        // All at once: nobody is ever told of half of them.
        *self.index.write() = index;
        Ok(Watches { namespaces, services, instances, interfaces })
    }

    async fn follow(self, tables: Tables, mut watches: Watches, stop: CancellationToken) {
        loop {
            let lost = tokio::select! {
                () = stop.cancelled() => return,
                lost = self.watch(&mut watches) => lost,
            };
            let mut failed = lost;
            loop {
                if !matches!(failed, StoreError::WatchLost | StoreError::Compacted { .. }) {
                    tracing::warn!(error = %failed, "the watches of service discovery failed");
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = self.environment.sleep(AGAIN) => {}
                    }
                }
                match self.load(&tables).await {
                    Ok(new) => {
                        watches = new;
                        break;
                    }
                    Err(error) => failed = error,
                }
            }
        }
    }

    /// Follows the watches until one is lost.
    async fn watch(&self, watches: &mut Watches) -> StoreError {
        loop {
            let changed = tokio::select! {
                changes = watches.namespaces.next() => changes.map(|changes| {
                    let mut index = self.index.write();
                    each(changes, &mut index, |index, row| index.put_namespace(row.value), Index::drop_namespace);
                    index.name_all();
                }),
                changes = watches.services.next() => changes.map(|changes| {
                    let mut index = self.index.write();
                    each(changes, &mut index, |index, row| index.put_service(row.value), Index::drop_service);
                    index.name_all();
                }),
                changes = watches.instances.next() => changes.map(|changes| {
                    let mut index = self.index.write();
                    each(changes, &mut index, |index, row| index.put_instance(row.value), Index::drop_instance);
                }),
                changes = watches.interfaces.next() => changes.map(|changes| {
                    let mut index = self.index.write();
                    each(changes, &mut index, |index, row| index.put_interface(&row), Index::drop_interface);
                }),
            };
            if let Err(error) = changed {
                return error;
            }
        }
    }

    /// What is known of a lower-case name without its last dot to the task at an address; `None` when it is in no zone
    /// that this task sees.
    pub fn answer(&self, asker: Ipv4Addr, name: &str, kind: Kind) -> Option<Answer> {
        let index = self.index.read();
        let namespace = index.zone_of(name, index.asker_at(asker))?;
        let NamespaceKind::PrivateDns { soa_ttl, .. } = namespace.kind else { return None };
        let zone = namespace.name.to_ascii_lowercase();
        if let Some((service, instances)) = index.service_named(&namespace.key(), name)
            && let Some(places) = self.of_service(service, &instances, name, kind)
        {
            return Some(if places.is_empty() {
                Answer::Nothing(zone, soa_ttl)
            } else {
                Answer::Places(places)
            });
        }
        if let Some((service, instance)) = index.instance_named(&namespace.key(), name) {
            let places = of_instance(service, instance, kind);
            return Some(if places.is_empty() {
                Answer::Nothing(zone, soa_ttl)
            } else {
                Answer::Places(places)
            });
        }
        // The zone itself has a start of authority, and names above others are there though they hold nothing.
        let is_there = name == zone || index.has_below(&namespace.key(), name);
        Some(if is_there { Answer::Nothing(zone, soa_ttl) } else { Answer::NoName(zone, soa_ttl) })
    }

    /// The records of a service; `None` when no instance gives it one, and its name is not there.
    fn of_service(
        &self,
        service: &DiscoveryService,
        instances: &[&Arc<Instance>],
        name: &str,
        kind: Kind,
    ) -> Option<Vec<(u32, Place)>> {
        let dns = service.dns.as_ref()?;
        let is_healthy = |one: &&Arc<Instance>| one.health(service) != HealthStatus::Unhealthy;
        let mut found: Vec<&Arc<Instance>> = instances.iter().copied().filter(is_healthy).collect();
        if found.is_empty() && dns.routing == RoutingPolicy::Weighted {
            found = instances.to_vec();
        }
        if found.is_empty() {
            return None;
        }
        shuffle(&self.environment, &mut found);
        found.truncate(match dns.routing {
            RoutingPolicy::MultiValue => MOST,
            RoutingPolicy::Weighted => 1,
        });
        let records = dns.records.iter().filter(|record| asks(kind, record.kind));
        Some(
            records
                .flat_map(|record| {
                    found.iter().filter_map(|one| Some((record.ttl, place(record.kind, one, name)?)))
                })
                .collect(),
        )
    }
}

/// The addresses of an instance under its own name, to which SRV records point.
fn of_instance(service: &DiscoveryService, instance: &Instance, kind: Kind) -> Vec<(u32, Place)> {
    let ttl = service.record(RecordKind::Srv).map_or(0, |record| record.ttl);
    let kinds = [RecordKind::A, RecordKind::Aaaa].into_iter().filter(|own| asks(kind, *own));
    kinds.filter_map(|own| Some((ttl, place(own, instance, "")?))).collect()
}

fn place(kind: RecordKind, instance: &Instance, name: &str) -> Option<Place> {
    match kind {
        RecordKind::A => instance.ipv4().map(Place::V4),
        RecordKind::Aaaa => instance.ipv6().map(Place::V6),
        RecordKind::Srv => Some(Place::Port(format!("{}.{name}", instance.id), instance.port()?)),
    }
}

fn asks(kind: Kind, record: RecordKind) -> bool {
    match kind {
        Kind::Of(asked) => asked == record,
        Kind::Any => true,
        Kind::Other => false,
    }
}

fn each<T>(
    changes: Vec<TableChange<T>>,
    index: &mut Index,
    put: impl Fn(&mut Index, Versioned<T>),
    drop: impl Fn(&mut Index, &str),
) {
    for change in changes {
        match change {
            TableChange::Put(row) => put(index, row),
            TableChange::Deleted { key, .. } => drop(index, &key),
        }
    }
}

fn shuffle<T>(random: &Environment, items: &mut [T]) {
    if items.len() < 2 {
        return;
    }
    let mut bytes = vec![0; items.len() * 8];
    random.fill_random(&mut bytes);
    for (index, chunk) in bytes.chunks_exact(8).enumerate().skip(1) {
        let number = chunk.iter().fold(0u64, |number, byte| (number << 8) | u64::from(*byte));
        // A remainder by index + 1 is at most index.
        items.swap(index, (number % (index as u64 + 1)) as usize);
    }
}

#[cfg(test)]
mod tests;
