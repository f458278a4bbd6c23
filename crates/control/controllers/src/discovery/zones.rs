//! The zones of private namespaces, as rows make them: [`dns_zones`] says what they mean.

mod index;

use environment::Environment;
use index::Index;
use parking_lot::RwLock;
use resources::discovery::{DiscoveryService, Instance, Namespace};
use resources::ec2::NetworkInterface;
use std::sync::Arc;
use std::time::Duration;
use store::{StoreError, TableChange, TableWatch, Tables, Versioned};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Wait before a lost watch is begun anew, when the store fails.
const AGAIN: Duration = Duration::from_millis(200);

/// The zones; cheap to clone.
#[derive(Clone)]
pub struct Zones {
    index: Arc<RwLock<Index>>,
    /// One more with each change.
    changes: watch::Sender<u64>,
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
        let environment = tables.environment().clone();
        let zones = Self { index: Arc::default(), changes: watch::Sender::new(0), environment };
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
        // All at once: nobody is ever told of half of them.
        *self.index.write() = index;
        self.changed();
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
                }),
                changes = watches.services.next() => changes.map(|changes| {
                    let mut index = self.index.write();
                    each(changes, &mut index, |index, row| index.put_service(row.value), Index::drop_service);
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
            match changed {
                Ok(()) => self.changed(),
                Err(error) => return error,
            }
        }
    }

    fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Tells when the zones may have changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The zones as they are now.
    pub fn now(&self) -> dns_zones::Zones {
        self.index.read().zones()
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

#[cfg(test)]
mod tests;
