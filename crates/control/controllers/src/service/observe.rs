//! Reads a service and its tasks.

use super::ServiceController;
use environment::Timestamp;
use resources::Stored;
use resources::ecs::{
    DesiredStatus, HealthStatus, Service, ServiceDeployment, ServiceEvents, ServiceTask, StopCode, Task,
    TaskDefinition, TaskStatus,
};
use service_deployments::{End, Health, Member, Sight};
use std::collections::BTreeMap;
use store::{StoreError, Versioned};

/// What a plan is made of, with the rows that it was read from.
pub struct Observed {
    pub service: Versioned<Service>,
    /// The record of the newest deployment, unless it is over.
    pub record: Option<Versioned<ServiceDeployment>>,
    pub events: Option<Versioned<ServiceEvents>>,
    pub members: Vec<Member>,
    /// Rows of the ledger and their tasks, by the id of the task.
    pub ledger: BTreeMap<String, (Versioned<ServiceTask>, Option<Versioned<Task>>)>,
}

impl ServiceController {
    /// `None` when there is no such service. The service is read before its tasks, so that a plan of another that is
    /// missing in them has changed the service as well.
    pub(super) async fn observe(&self, key: &str) -> Result<Option<Observed>, StoreError> {
        let Some(service) = self.tables.get::<Service>(key).await? else { return Ok(None) };
        let events = self.tables.get::<ServiceEvents>(key).await?;
        let record = match service.primary() {
            Some(primary) => {
                self.tables.get::<ServiceDeployment>(&format!("{key}/{}", primary.service_deployment)).await?
            }
            None => None,
        };
        let now = self.tables.environment().now();
        let mut definitions = BTreeMap::new();
        let (mut members, mut ledger) = (Vec::new(), BTreeMap::new());
        for row in self.tables.list_all::<ServiceTask>(&format!("{key}/")).await? {
            let task =
                self.tables.get::<Task>(&format!("{}/{}/{}", row.account, row.cluster, row.task)).await?;
            let definition = match &task {
                Some(task) => {
                    let key = TaskDefinition::key_of(&task.account, &task.family, task.value.revision);
                    if !definitions.contains_key(&key) {
                        definitions.insert(key.clone(), self.tables.get::<TaskDefinition>(&key).await?);
                    }
                    definitions.get(&key).and_then(Option::as_ref)
                }
                None => None,
            };
            members.push(member(
                &row,
                task.as_ref().map(|task| &*task.value),
                definition.map(|d| &*d.value),
                now,
            ));
            ledger.insert(row.task.clone(), (row, task));
        }
        let record = record.filter(|record| !record.status.is_final());
        debug_assert_eq!(service.key(), key);
        Ok(Some(Observed { service, record, events, members, ledger }))
    }
}

fn member(
    row: &ServiceTask,
    task: Option<&Task>,
    definition: Option<&TaskDefinition>,
    now: Timestamp,
) -> Member {
    Member {
        task: row.task.clone(),
        deployment: row.deployment.clone(),
        provider: task.and_then(|task| task.capacity_provider.clone()),
        mark: row.mark,
        created_at: row.created_at,
        protected_until: task.and_then(|task| task.protected_until),
        // A task whose row is gone ended long ago.
        sight: task.map_or(Sight::Ended(End::Wanted), |task| sight(task, definition, now)),
    }
}

fn sight(task: &Task, definition: Option<&TaskDefinition>, now: Timestamp) -> Sight {
    match task.last_status {
        TaskStatus::Deprovisioning | TaskStatus::Stopped => Sight::Ended(end(task, definition, now)),
        _ if task.desired_status == DesiredStatus::Stopped => Sight::Stopping,
        TaskStatus::Deactivating | TaskStatus::Stopping => Sight::Stopping,
        TaskStatus::Running => Sight::Running {
            since: task.started_at.unwrap_or(task.created_at),
            health: health(task, definition),
        },
        TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Activating => Sight::Starting,
    }
}

/// What the checks of essential containers say; those of others do not count, as on AWS.
fn health(task: &Task, definition: Option<&TaskDefinition>) -> Health {
    let mut health = Health::Unchecked;
    for container in definition.iter().flat_map(|definition| &definition.containers) {
        if !container.essential || container.health_check.is_none() {
            continue;
        }
        let seen = task.containers.iter().find(|seen| seen.name == container.name);
        match seen.map_or(HealthStatus::Unknown, |seen| seen.health) {
            HealthStatus::Unhealthy => return Health::Failing,
            HealthStatus::Unknown => health = Health::Waiting,
            HealthStatus::Healthy if health == Health::Unchecked => health = Health::Passing,
            HealthStatus::Healthy => {}
        }
    }
    health
}

fn end(task: &Task, definition: Option<&TaskDefinition>, now: Timestamp) -> End {
    match task.stop_code {
        Some(StopCode::UserInitiated | StopCode::ServiceSchedulerInitiated) => return End::Wanted,
        Some(StopCode::TaskFailedToStart | StopCode::EssentialContainerExited) | None => {}
    }
    let is_checked = health(task, definition) != Health::Unchecked;
    let until = task.execution_stopped_at.or(task.stopping_at).or(task.stopped_at).unwrap_or(now);
    let ran = task.started_at.map(|since| until.since(since)).unwrap_or_default();
    let not_placed = task.container_instance.is_none().then(|| task.stopped_reason.clone()).flatten();
    End::Failed { ran: (!is_checked).then_some(ran), not_placed }
}
