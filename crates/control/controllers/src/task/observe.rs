//! Reads a task and the hosts it may be on.

use super::TaskController;
use resources::Stored;
use resources::ec2::NetworkInterface;
use resources::ecs::{ContainerInstance, DesiredStatus, FARGATE_HOSTS, InstanceStatus, Task, TaskStatus};
use std::time::Duration;
use store::{StoreError, Versioned};

/// What a plan is made of.
pub struct Observed {
    /// The task.
    pub task: Versioned<Task>,
    /// Its network interface, if it has one.
    pub interface: Option<Versioned<NetworkInterface>>,
    /// Hosts that take tasks, the least loaded first. Read only for a task that needs one.
    pub hosts: Vec<Versioned<ContainerInstance>>,
    /// What became of the host it is on.
    pub host: HostState,
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
        let needs_host =
            task.last_status == TaskStatus::Provisioning && task.desired_status == DesiredStatus::Running;
        let hosts = if needs_host { self.hosts_taking_tasks().await? } else { Vec::new() };
        let host = self.host_state(&task).await?;
        Ok(Some(Observed { task, interface, hosts, host }))
    }

    /// Fargate hosts that take tasks, the least loaded first.
    pub(super) async fn hosts_taking_tasks(&self) -> Result<Vec<Versioned<ContainerInstance>>, StoreError> {
        let prefix = format!("{}/{FARGATE_HOSTS}/", self.account);
        let mut hosts = self.tables.list_all::<ContainerInstance>(&prefix).await?;
        hosts.retain(|host| host.takes_tasks());
        hosts.sort_by_cached_key(|host| (self.placements.load(&host.key()), host.id.clone()));
        Ok(hosts)
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
