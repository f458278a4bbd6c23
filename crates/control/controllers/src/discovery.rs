//! Service discovery: tasks of services become instances of Cloud Map, and instances become records of DNS.
//!
//! [`DiscoveryController`] registers a task that runs with the services of Cloud Map that its ECS service names, tells how
//! healthy it is, and deregisters it when it is to stop or has died. Everything it needs is in the rows of the task and of
//! its instances, which name their task; so one that is killed anywhere leaves no instance without its task behind.
//! [`Zones`] follows the rows of Cloud Map and tells which zones private namespaces make, for the name server of tasks.
//! [`OperationController`] forgets operations after a while.

mod apply;
mod operation;
mod plan;
mod zones;

pub use operation::OperationController;
pub use zones::Zones;

use crate::feed::Seen;
use identifiers::Region;
use reconcile::{Next, Queue, Reconciler};
use resources::Stored;
use resources::discovery::Instance;
use resources::ecs::{Task, TaskStatus};
use std::collections::BTreeSet;
use store::{StoreError, Tables};

/// Attempts of a step that others interfere with, before the queue backs off.
const MOST_ATTEMPTS: usize = 16;

/// The controller of the instances that are tasks. Its keys are those of tasks.
pub struct DiscoveryController {
    tables: Tables,
    region: Region,
    queue: Queue<String>,
}

impl DiscoveryController {
    /// Over the region's rows.
    pub fn new(tables: Tables, region: Region, queue: Queue<String>) -> Self {
        Self { tables, region, queue }
    }

    /// Queues a task that is or was an instance.
    pub(crate) fn see_task(&self, seen: &Seen<Task>) {
        if let Seen::Row(task) = seen
            && !task.registries.is_empty()
            && task.last_status >= TaskStatus::Running
        {
            self.queue.nudge(task.key());
        }
    }
}

impl Reconciler for DiscoveryController {
    type Key = String;
    type Error = StoreError;

    async fn reconcile(&self, key: &String) -> Result<Next, StoreError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.step(key).await {
                Err(error) if error.is_conflict() && attempts < MOST_ATTEMPTS => {}
                done => return done.map(|()| Next::Settled),
            }
        }
    }

    /// Tasks that should be instances, and instances whose tasks may be long gone.
    async fn keys(&self) -> Result<Vec<String>, StoreError> {
        let mut keys = BTreeSet::new();
        for task in self.tables.list_all::<Task>("").await? {
            if !task.registries.is_empty() && task.last_status == TaskStatus::Running {
                keys.insert(task.key());
            }
        }
        for instance in self.tables.list_all::<Instance>("").await? {
            keys.extend(instance.task.clone());
        }
        Ok(keys.into_iter().collect())
    }
}

#[cfg(test)]
pub(crate) mod tests;
