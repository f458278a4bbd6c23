//! Registers the tasks of services as targets of load balancers, and lets them drain before they stop.
//!
//! A task that runs is registered in the target groups of its deployment. One that is to stop is deregistered, and only when
//! its targets have drained are its containers told: while [`resources::ecs::Task::targets`] names any, the gateway keeps it from
//! its agent. A task that has ended is deregistered at once. The rows of targets and the list in the task are written in one
//! transaction together with the events of the service, so that neither is ever without the other, whatever dies.

mod apply;
mod observe;
mod plan;
#[cfg(test)]
mod tests;

use crate::feed::Seen;
use reconcile::{Next, Queue, Reconciler};
use resources::Stored;
use resources::ecs::{Service, ServiceStatus, Task, TaskStatus};
use resources::elb::{Target, TargetState};
use std::collections::BTreeSet;
use store::{StoreError, Tables};

/// Attempts of a step that others interfere with, before the queue backs off.
const MOST_ATTEMPTS: usize = 16;

/// The controller.
pub struct ServiceTargetsController {
    tables: Tables,
    queue: Queue<String>,
}

impl ServiceTargetsController {
    /// Over the region's rows.
    pub fn new(tables: Tables, queue: Queue<String>) -> Self {
        Self { tables, queue }
    }

    /// Queues the service of a task that runs, or does not any more.
    pub(crate) fn see_task(&self, seen: &Seen<Task>) {
        let Seen::Row(task) = seen else { return };
        let Some(service) = &task.service else { return };
        if task.last_status >= TaskStatus::Running || !task.targets.is_empty() {
            self.queue.nudge(format!("{}/{}/{service}", task.account, task.cluster));
        }
    }

    /// Queues the service of a target that has drained.
    pub(crate) fn see_target(&self, seen: &Seen<Target>) {
        if let Seen::Row(target) = seen
            && target.health.state == TargetState::Drained
            && let Some(service) = &target.service
        {
            self.queue.nudge(service.clone());
        }
    }

    async fn step(&self, key: &str) -> Result<Next, StoreError> {
        let observed = self.observe(key).await?;
        let plan = plan::plan(&observed, self.tables.environment().now());
        self.apply(observed, plan).await
    }
}

impl Reconciler for ServiceTargetsController {
    type Key = String;
    type Error = StoreError;

    async fn reconcile(&self, key: &String) -> Result<Next, StoreError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.step(key).await {
                Err(error) if error.is_conflict() && attempts < MOST_ATTEMPTS => {}
                done => return done,
            }
        }
    }

    async fn keys(&self) -> Result<Vec<String>, StoreError> {
        let services = self.tables.list_all::<Service>("").await?;
        let active = services.iter().filter(|service| service.status != ServiceStatus::Inactive);
        let mut keys: BTreeSet<String> = active.map(|service| service.key()).collect();
        // Targets may outlive the row of their service.
        keys.extend(self.tables.list_all::<Target>("").await?.iter().filter_map(|own| own.service.clone()));
        Ok(keys.into_iter().collect())
    }
}
