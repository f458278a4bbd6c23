//! Reads a task and the hosts it may be on.

use super::TaskController;
use resources::Stored;
use resources::ec2::NetworkInterface;
use resources::ecs::{ContainerInstance, FARGATE_HOSTS, InstanceStatus, Lack, Task};
use std::time::Duration;
use store::{StoreError, Versioned};

/// What a plan is made of.
pub struct Observed {
    /// The task.
    pub task: Versioned<Task>,
    /// Its network interface, if it has one.
    pub interface: Option<Versioned<NetworkInterface>>,
    /// Where it can go. Read only for a task that needs a host.
    pub room: Room,
    /// What became of the host it is on.
    pub host: HostState,
    /// How long it has been seen waiting for a host.
    pub waited: Duration,
}

/// Hosts for a task.
#[derive(Default)]
pub struct Room {
    /// Those that have room for it, the least loaded first.
    pub hosts: Vec<Versioned<ContainerInstance>>,
    /// What one that takes tasks has too little of, when none has room.
    pub lack: Option<Lack>,
}

/// The host of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostState {
    /// The task has none, or the host is there.
    Present,
    /// Registered, but its agent has no session. How long this has been seen.
    Silent(Duration),
    /// Deregistered or unknown. How long this has been seen.
    Gone(Duration),
}

impl TaskController {
    /// `None` when there is no such task.
    pub(super) async fn observe(&self, key: &str) -> Result<Option<Observed>, StoreError> {
        let Some(task) = self.tables.get::<Task>(key).await? else { return Ok(None) };
        let interface = match &task.network_interface {
            Some(own) => self.tables.get::<NetworkInterface>(&format!("{}/{}", task.account, own.id)).await?,
            None => None,
        };
        let (room, waited) = if task.waits_for_host() {
            (self.room(&task).await?, self.waited(key))
        } else {
            (Room::default(), Duration::ZERO)
        };
        let host = self.host_state(&task).await?;
        Ok(Some(Observed { task, interface, room, host, waited }))
    }

    fn waited(&self, key: &str) -> Duration {
        let elapsed = self.tables.environment().elapsed();
        elapsed.saturating_sub(*self.since.lock().entry(key.to_owned()).or_insert(elapsed))
    }

    /// Fargate hosts that take tasks and have room for this one.
    pub(super) async fn room(&self, task: &Task) -> Result<Room, StoreError> {
        let mut room = Room::default();
        if !self.placements.are_listed() {
            return Ok(room);
        }
        let prefix = format!("{}/{FARGATE_HOSTS}/", self.account);
        for host in self.tables.list_all::<ContainerInstance>(&prefix).await? {
            if !host.takes_tasks() {
                continue;
            }
            match self.placements.lack(&host, task) {
                None => room.hosts.push(host),
                lack => room.lack = lack,
            }
        }
        if !room.hosts.is_empty() {
            room.lack = None;
        }
        room.hosts.sort_by_cached_key(|host| (self.placements.load(&host.key()), host.id.clone()));
        Ok(room)
    }

    async fn host_state(&self, task: &Task) -> Result<HostState, StoreError> {
        let Some(key) = &task.container_instance else { return Ok(HostState::Present) };
        let host = self.tables.get::<ContainerInstance>(key).await?;
        let elapsed = self.tables.environment().elapsed();
        let mut lost = self.lost.lock();
        let mut lasted = || elapsed.saturating_sub(*lost.entry(key.clone()).or_insert(elapsed));
        Ok(match host {
            Some(host) if host.takes_tasks() => {
                lost.remove(key);
                HostState::Present
            }
            Some(host) if host.status == InstanceStatus::Active => HostState::Silent(lasted()),
            Some(_) | None => HostState::Gone(lasted()),
        })
    }
}
