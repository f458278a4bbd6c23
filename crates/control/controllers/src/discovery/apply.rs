//! Registers and deregisters: one transaction for each instance.

use super::DiscoveryController;
use super::plan::{Step, instance, is_found, plan};
use resources::discovery::{DiscoveryService, Instance};
use resources::ecs::{Task, TaskDefinition, TaskRegistry};
use store::{StoreError, Versioned};

impl DiscoveryController {
    /// Makes the instances of a task what they should be.
    pub(super) async fn step(&self, key: &str) -> Result<(), StoreError> {
        let Some(task) = self.tables.get::<Task>(key).await? else { return self.forget(key).await };
        let definition = if is_found(&task) {
            let key = TaskDefinition::key_of(&task.account, &task.family, task.value.revision);
            self.tables.get::<TaskDefinition>(&key).await?
        } else {
            None
        };
        for registry in &task.registries {
            self.step_registry(&task, definition.as_ref().map(|row| &*row.value), registry).await?;
        }
        Ok(())
    }

    async fn step_registry(
        &self,
        task: &Versioned<Task>,
        definition: Option<&TaskDefinition>,
        registry: &TaskRegistry,
    ) -> Result<(), StoreError> {
        let service_key = DiscoveryService::key_of(&task.account, &registry.service);
        let Some(service) = self.tables.get::<DiscoveryService>(&service_key).await? else {
            // Services with instances stay; this one was deleted while there were none.
            tracing::warn!(service = service_key, task = task.id, "the service of Cloud Map is gone");
            return Ok(());
        };
        let found_key = Instance::key_of(&task.account, &registry.service, &task.id);
        let found = self.tables.get::<Instance>(&found_key).await?;
        let wanted = instance(task, definition, registry, &service, &self.region);
        match (plan(wanted, found.as_ref().map(|row| &*row.value)), &found) {
            (Step::Register(instance), _) => {
                // The task is as it was read, so that one that ends at this moment is not registered after its end.
                self.tables
                    .batch()
                    .create(&instance)
                    .require_exists(&service)
                    .require_unchanged(task)
                    .put_any(&instance.change())
                    .commit()
                    .await
                    .map(|_| ())
            }
            (Step::SetHealth(is_healthy), Some(found)) => {
                let new = Instance { is_healthy, ..Instance::clone(found) };
                self.tables.replace(found, new).await.map(|_| ())
            }
            (Step::Deregister, Some(found)) => self.deregister(found).await,
            (Step::Nothing | Step::SetHealth(_) | Step::Deregister, _) => Ok(()),
        }
    }

    /// Deregisters what a task was that is not even remembered.
    async fn forget(&self, key: &str) -> Result<(), StoreError> {
        for instance in self.tables.list_all::<Instance>("").await? {
            if instance.task.as_deref() == Some(key) {
                self.deregister(&instance).await?;
            }
        }
        Ok(())
    }

    async fn deregister(&self, found: &Versioned<Instance>) -> Result<(), StoreError> {
        self.tables.batch().delete(found).put_any(&found.change()).commit().await.map(|_| ())
    }
}
