//! Gives tasks a host and an address, takes the address back, and lets old tasks go.
//!
//! PROVISIONING becomes PENDING on the least loaded Fargate host that takes tasks; DEPROVISIONING becomes STOPPED;
//! STOPPED goes away an hour later. Everything between belongs to the agent. Each step is one transaction that holds
//! the network interface, its address and the task together, so that an address is never lost and never given twice.
//!
//! A task that finds no host, or none with room for its CPU and memory, keeps waiting and is tried again as soon as a
//! host comes or another task lets go of one. It gives up after a while; one of a service waits for room without end, and
//! its service tells of it.

mod apply;
mod network;
mod observe;
mod plan;

use crate::feed::Seen;
use identifiers::AccountId;
use parking_lot::Mutex;
use plan::{Step, plan};
use reconcile::{Next, Queue, Reconciler};
use resources::Stored;
use resources::ecs::{ContainerInstance, FARGATE_HOSTS, InstanceStatus, Size, Task, TaskStatus};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use store::{StoreError, Tables};
use task_placements::Placements;
use virtual_networks::VirtualNetworks;

/// Attempts of a step that others interfere with, before the queue backs off.
const MOST_ATTEMPTS: usize = 16;

/// The controller.
pub struct TaskController {
    tables: Tables,
    /// Owner of the Fargate hosts.
    account: AccountId,
    queue: Queue<String>,
    networks: VirtualNetworks,
    placements: Placements,
    /// Tasks that found no host.
    waiting: Mutex<BTreeSet<String>>,
    /// Since when tasks wait for a host, by the time that has gone: a clock that is set ends no wait and makes none longer. With a
    /// new server they begin anew.
    since: Mutex<HashMap<String, Duration>>,
    /// Hosts that were found gone or silent, and when first, by the time that has gone: a clock that is set while a host is
    /// silent for a moment must not end its tasks.
    lost: Mutex<HashMap<String, Duration>>,
    /// What was last seen of the hosts; only a change of it matters.
    hosts: Mutex<HashMap<String, (InstanceStatus, bool, Size)>>,
}

impl TaskController {
    /// Over the region's rows; `queue` is nudged when a host comes or goes. Nothing is placed before
    /// [`Self::tasks_are_listed`].
    pub fn new(
        tables: Tables,
        account: AccountId,
        networks: VirtualNetworks,
        placements: Placements,
        queue: Queue<String>,
    ) -> Self {
        Self {
            tables,
            account,
            queue,
            networks,
            placements,
            waiting: Mutex::default(),
            since: Mutex::default(),
            lost: Mutex::default(),
            hosts: Mutex::default(),
        }
    }

    /// Takes note of a task, and queues it if there may be something to do.
    pub(crate) fn see_task(&self, seen: Seen<Task>) {
        match seen {
            Seen::Row(task) => {
                let key = task.key();
                if !task.waits_for_host() {
                    self.since.lock().remove(&key);
                }
                if self.placements.note(&task) {
                    self.nudge_waiting();
                }
                if matches!(
                    task.last_status,
                    TaskStatus::Provisioning | TaskStatus::Deprovisioning | TaskStatus::Stopped
                ) {
                    self.queue.nudge(key);
                }
            }
            Seen::Gone(key) => {
                self.since.lock().remove(&key);
                if self.placements.forget(&key) {
                    self.nudge_waiting();
                }
            }
            Seen::Anew => self.placements.clear(),
        }
    }

    /// Every task has been shown: from now on it is known what room is left.
    pub(crate) fn tasks_are_listed(&self) {
        self.placements.listed();
        self.nudge_waiting();
    }

    fn nudge_waiting(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        for task in waiting {
            self.queue.nudge(task);
        }
    }

    /// Takes note of a host; one that comes or goes queues the tasks that wait for it or run on it.
    pub(crate) fn see_host(&self, seen: Seen<ContainerInstance>) {
        let key = match seen {
            Seen::Row(host) => {
                let (key, now) = (host.key(), (host.status, host.agent_connected, host.size()));
                if self.hosts.lock().insert(key.clone(), now) == Some(now) {
                    return;
                }
                if host.cluster == FARGATE_HOSTS {
                    self.placements.note_host(&host);
                    if host.takes_tasks() {
                        self.nudge_waiting();
                    }
                }
                key
            }
            Seen::Gone(key) => {
                self.hosts.lock().remove(&key);
                self.placements.forget_host(&key);
                key
            }
            Seen::Anew => {
                self.placements.clear_hosts();
                return self.hosts.lock().clear();
            }
        };
        for task in self.placements.tasks_on(&key) {
            self.queue.nudge(task);
        }
    }

    async fn step(&self, key: &str) -> Result<Next, StoreError> {
        let Some(observed) = self.observe(key).await? else { return Ok(Next::Settled) };
        let step = plan(&observed, self.tables.environment().now());
        if matches!(step, Step::WaitForHost(_) | Step::WaitForRoom(..)) {
            self.waiting.lock().insert(key.to_owned());
            // A host may have come, or room on one, between the look and the note.
            let room = self.room(&observed.task).await?;
            let is_same =
                room.hosts.is_empty() && room.lack.is_some() == matches!(step, Step::WaitForRoom(..));
            if !is_same {
                self.waiting.lock().remove(key);
                return Err(StoreError::Conflict(key.to_owned()));
            }
        }
        self.apply(&observed, step).await
    }
}

impl Reconciler for TaskController {
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
        Ok(self.tables.list_all::<Task>("").await?.iter().map(|task| task.key()).collect())
    }
}

#[cfg(test)]
mod tests;
