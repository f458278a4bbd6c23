//! Services of Cloud Map that were made for Service Connect go with what offers them.

use crate::feed::Seen;
use parking_lot::Mutex;
use reconcile::{Next, Queue, Reconciler};
use resources::Stored;
use resources::discovery::{DiscoveryService, Instance, InstancesChange, Namespace, ServiceName};
use resources::ecs::{Service, ServiceStatus};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::{Page, StoreError, Tables, Versioned};

/// Time between two looks at whether the last instance has gone.
const LOOK: Duration = Duration::from_millis(250);

/// The controller of the names. Its keys are those of ECS services.
pub struct Names {
    tables: Tables,
    queue: Queue<String>,
    /// Ids of the services of Cloud Map that each ECS service has.
    owned: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

impl Names {
    /// Over the region's rows.
    pub fn new(tables: Tables, queue: Queue<String>) -> Self {
        Self { tables, queue, owned: Mutex::default() }
    }

    /// Takes note of who owns a service of Cloud Map.
    pub(crate) fn see_name(&self, seen: &Seen<DiscoveryService>) {
        match seen {
            Seen::Row(row) => {
                let Some(owner) = &row.owner else { return };
                self.owned.lock().entry(owner.clone()).or_default().insert(row.id.clone());
                self.queue.nudge(owner.clone());
            }
            Seen::Gone(key) => {
                let id = key.rsplit('/').next().unwrap_or_default();
                self.owned.lock().retain(|_, ids| {
                    ids.remove(id);
                    !ids.is_empty()
                });
            }
            Seen::Anew => {}
        }
    }

    /// Queues an ECS service that has names.
    pub(crate) fn see_service(&self, seen: &Seen<Service>) {
        let key = match seen {
            Seen::Row(row) => row.key(),
            Seen::Gone(key) => key.clone(),
            Seen::Anew => return,
        };
        if self.owned.lock().contains_key(&key) {
            self.queue.nudge(key);
        }
    }

    async fn step(&self, owner: &str) -> Result<Next, StoreError> {
        let ids = self.owned.lock().get(owner).cloned().unwrap_or_default();
        let service = self.tables.get::<Service>(owner).await?;
        let account = owner.split('/').next().unwrap_or_default();
        let mut next = Next::Settled;
        for id in ids {
            let is_offered = service
                .as_ref()
                .is_some_and(|service| service.status != ServiceStatus::Inactive && service.offers(&id));
            if is_offered {
                continue;
            }
            let Some(name) = self.tables.get::<DiscoveryService>(&format!("{account}/{id}")).await? else {
                continue;
            };
            if !self.remove(&name, service.as_ref(), owner).await? {
                next = Next::After(LOOK);
            }
        }
        Ok(next)
    }

    /// Removes a service of Cloud Map, unless it has instances still.
    async fn remove(
        &self,
        name: &Versioned<DiscoveryService>,
        service: Option<&Versioned<Service>>,
        owner: &str,
    ) -> Result<bool, StoreError> {
        // Read before the instances: one that is registered meanwhile has written it, and nothing is removed.
        let change_key = InstancesChange::key_of(&name.account, &name.id);
        let change = self.tables.get::<InstancesChange>(&change_key).await?;
        let instances = Instance::keys_of(&name.account, &name.id);
        let (found, _) = self.tables.keys::<Instance>(&instances, Page { limit: 1, after: None }).await?;
        if !found.is_empty() {
            return Ok(false);
        }
        let mut batch = self.tables.batch().delete(name);
        batch = match &change {
            Some(change) => batch.delete(change),
            None => batch.require_absent::<InstancesChange>(&change_key),
        };
        batch = match service {
            Some(service) => batch.require_unchanged(service),
            None => batch.require_absent::<Service>(owner),
        };
        let namespace = Namespace::key_of(&name.account, &name.namespace);
        if let Some(namespace) = self.tables.get::<Namespace>(&namespace).await? {
            batch = batch.delete_any::<ServiceName>(&name.name_row(&namespace).key());
        }
        batch.commit().await.map(|_| true)
    }
}

impl Reconciler for Names {
    type Key = String;
    type Error = StoreError;

    async fn reconcile(&self, key: &String) -> Result<Next, StoreError> {
        match self.step(key).await {
            Err(error) if error.is_conflict() => Ok(Next::After(Duration::ZERO)),
            done => done,
        }
    }

    async fn keys(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.owned.lock().keys().cloned().collect())
    }
}
