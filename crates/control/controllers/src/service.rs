//! Keeps the promise of services: as many healthy tasks as wanted, through deployments, crashes and bad releases.
//!
//! What to do is decided by the crate `service-deployments`; this controller reads the service with the tasks of its
//! ledger, and carries the plan out in one transaction that replaces the row of the service. Whoever comes second
//! with a plan made of the same row loses, so no decision is carried out twice, whatever dies and is started over.

mod alarms;
mod apply;
mod observe;
mod rules;

use crate::feed::Seen;
use alarms::WatchedAlarms;
use environment::Environment;
use identifiers::Region;
use reconcile::{Next, Queue, Reconciler};
use resources::Stored;
use resources::cloudwatch::Alarm;
use resources::ecs::{DesiredStatus, Service, ServiceStatus, Task, TaskStatus};
use resources::elb::Target;
use service_deployments::{Names, Snapshot, plan};
use std::time::Duration;
use store::{StoreError, Tables};

/// How long a task without a health check must run to count as healthy. AWS waits 40 seconds; what crashes at its
/// start does so in the first moments, and nobody wants to wait that long on their own machine.
pub const SETTLE: Duration = Duration::from_secs(5);
/// How long a deleted service is shown.
pub const KEEP_INACTIVE: Duration = Duration::from_secs(3600);
/// Attempts of a step that others interfere with, before the queue backs off.
const MOST_ATTEMPTS: usize = 16;

/// The controller.
pub struct ServiceController {
    tables: Tables,
    region: Region,
    queue: Queue<String>,
    settle: Duration,
    watched: WatchedAlarms,
}

/// Random names.
struct RandomNames<'a>(&'a Environment);

impl Names for RandomNames<'_> {
    fn task(&mut self) -> String {
        self.0.random_hex(32)
    }

    fn deployment(&mut self) -> String {
        self.0.random_text(19, b"0123456789")
    }

    fn hook(&mut self) -> String {
        let alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
        format!("ecs-hook-{}", self.0.random_text(43, alphabet))
    }
}

impl ServiceController {
    /// Over the region's rows.
    pub fn new(tables: Tables, region: Region, queue: Queue<String>) -> Self {
        Self { tables, region, queue, settle: SETTLE, watched: WatchedAlarms::default() }
    }

    /// Queues a service that was changed.
    pub(crate) fn see_service(&self, seen: &Seen<Service>) {
        if let Seen::Row(row) = seen {
            self.queue.nudge(row.key());
        }
    }

    /// Queues the service of a task that runs, or does not any more, or finds no room. What lies between changes nothing
    /// for it.
    pub(crate) fn see_task(&self, seen: &Seen<Task>) {
        let Seen::Row(task) = seen else { return };
        let Some(service) = &task.service else { return };
        let matters = task.last_status >= TaskStatus::Running
            || task.desired_status == DesiredStatus::Stopped
            || task.lack.is_some();
        if matters {
            self.queue.nudge(format!("{}/{}/{service}", task.account, task.cluster));
        }
    }

    /// Queues the service of a target, whose health may have changed.
    pub(crate) fn see_target(&self, seen: &Seen<Target>) {
        if let Seen::Row(target) = seen
            && let Some(service) = &target.service
        {
            self.queue.nudge(service.clone());
        }
    }

    /// Queues the services whose deployments watch an alarm that was changed.
    pub(crate) fn see_alarm(&self, seen: &Seen<Alarm>) {
        if let Seen::Row(alarm) = seen {
            for service in self.watched.by(&alarm.key()) {
                self.queue.nudge(service);
            }
        }
    }

    async fn step(&self, key: &str) -> Result<Next, StoreError> {
        let Some(observed) = self.observe(key).await? else { return Ok(Next::Settled) };
        let environment = self.tables.environment();
        if observed.service.status == ServiceStatus::Inactive && observed.members.is_empty() {
            return self.reap(&observed).await;
        }
        let record = observed.record.as_ref().map(|record| &*record.value);
        let snapshot = Snapshot {
            service: &observed.service,
            record,
            alarms: &observed.alarms,
            members: &observed.members,
            zones: &observed.zones,
            settle: self.settle,
            now: environment.now(),
        };
        let plan = plan(snapshot, &mut RandomNames(environment));
        self.apply(observed, plan).await
    }
}

impl Reconciler for ServiceController {
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
        Ok(services.iter().map(|service| service.key()).collect())
    }
}

#[cfg(test)]
mod tests;
