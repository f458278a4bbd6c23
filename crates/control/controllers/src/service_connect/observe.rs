//! Reads what is behind the endpoints of a task.

use super::{Proxies, ServiceConnectController};
use resources::Stored;
use resources::discovery::Instance;
use resources::ecs::{AlternateShare, Service, ServiceTask, Task};
use std::collections::BTreeMap;
use store::{StoreError, Versioned};

/// What is behind endpoints.
#[derive(Default)]
pub(super) struct Behind {
    /// Instances of services of Cloud Map, by the ids of these.
    pub(super) instances: BTreeMap<String, Vec<Versioned<Instance>>>,
    /// Services that offer endpoints, by their keys.
    pub(super) offerings: BTreeMap<String, Offering>,
}

/// A service that offers endpoints.
pub(super) struct Offering {
    pub(super) service: Versioned<Service>,
    /// The deployments of its tasks by the ids of these. Read only while they are on two sides.
    deployments: Option<BTreeMap<String, String>>,
}

/// What of a service matters to those that reach it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split {
    share: AlternateShare,
    sides: Vec<(String, bool)>,
}

impl Split {
    pub(super) fn of(service: &Service) -> Self {
        let sides = service.deployments.iter().map(|own| (own.id.clone(), own.alternate));
        Self { share: service.alternate_share(), sides: sides.collect() }
    }
}

impl Offering {
    /// Whether the task that an instance is stands on the alternate side; nothing when it is none of this service.
    pub(super) fn side(&self, instance: &Instance) -> Option<bool> {
        let Some(deployments) = &self.deployments else {
            return Some(self.service.primary().is_some_and(|primary| primary.alternate));
        };
        let id = deployments.get(&instance.id)?;
        self.service.deployments.iter().find(|own| own.id == *id).map(|own| own.alternate)
    }
}

impl<P: Proxies> ServiceConnectController<P> {
    pub(super) async fn behind(&self, task: &Task) -> Result<Behind, StoreError> {
        let mut behind = Behind::default();
        for endpoint in task.connect.iter().flat_map(|connect| &connect.endpoints) {
            if !behind.instances.contains_key(&endpoint.service) {
                let keys = Instance::keys_of(&task.account, &endpoint.service);
                behind
                    .instances
                    .insert(endpoint.service.clone(), self.tables.list_all::<Instance>(&keys).await?);
            }
            let key = endpoint.offered_by_key(&task.account);
            if !behind.offerings.contains_key(&key)
                && let Some(service) = self.tables.get::<Service>(&key).await?
            {
                behind.offerings.insert(key, self.offering(service).await?);
            }
        }
        Ok(behind)
    }

    async fn offering(&self, service: Versioned<Service>) -> Result<Offering, StoreError> {
        let mut sides = service.deployments.iter().map(|own| own.alternate);
        let first = sides.next();
        if sides.all(|side| Some(side) == first) {
            return Ok(Offering { service, deployments: None });
        }
        let ledger = self.tables.list_all::<ServiceTask>(&format!("{}/", service.key())).await?;
        let deployments =
            ledger.into_iter().map(|row| (row.value.task.clone(), row.value.deployment.clone()));
        Ok(Offering { service, deployments: Some(deployments.collect()) })
    }
}
