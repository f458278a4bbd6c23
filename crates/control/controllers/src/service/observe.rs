//! Reads a service and its tasks.

use super::ServiceController;
use environment::Timestamp;
use resources::Stored;
use resources::ecs::{
    DesiredStatus, HealthStatus, Service, ServiceDeployment, ServiceEvents, ServiceTask, StopCode, Task,
    TaskDefinition, TaskStatus,
};
use resources::elb::{Target, TargetState};
use service_deployments::{End, FailingTarget, Health, Member, Sight};
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
            let targets = match &task {
                Some(task) => self.targets(&service, &row, task).await?,
                None => Targets::default(),
            };
            members.push(member(
                &row,
                task.as_ref().map(|task| &*task.value),
                definition.map(|d| &*d.value),
                &targets,
                now,
            ));
            ledger.insert(row.task.clone(), (row, task));
        }
        let record = record.filter(|record| !record.status.is_final());
        debug_assert_eq!(service.key(), key);
        Ok(Some(Observed { service, record, events, members, ledger }))
    }

    /// What load balancers say of a task.
    async fn targets(
        &self,
        service: &Service,
        row: &ServiceTask,
        task: &Task,
    ) -> Result<Targets, StoreError> {
        let deployment = service.deployments.iter().find(|own| own.id == row.deployment);
        let wanted = deployment.map_or(0, |own| own.workload.load_balancers.len());
        let mut rows = Vec::new();
        for key in &task.targets {
            rows.extend(self.tables.get::<Target>(key).await?);
        }
        Ok(Targets {
            are_wanted: wanted > 0 || !task.targets.is_empty(),
            are_there: rows.len() >= wanted,
            rows,
        })
    }
}

/// The targets of load balancers that a task is registered as.
#[derive(Default)]
struct Targets {
    /// Its deployment has load balancers.
    are_wanted: bool,
    /// It is registered with all of them.
    are_there: bool,
    rows: Vec<Versioned<Target>>,
}

impl Targets {
    /// `own`, what the task's own checks say, together with what load balancers say.
    fn with(&self, own: Health) -> (Health, Option<FailingTarget>) {
        if !self.are_wanted || own == Health::Failing {
            return (own, None);
        }
        let mut health =
            if own == Health::Waiting || !self.are_there { Health::Waiting } else { Health::Passing };
        for row in &self.rows {
            match row.health.state {
                TargetState::Healthy | TargetState::Unavailable => {}
                TargetState::Initial | TargetState::Unused | TargetState::Draining | TargetState::Drained => {
                    health = Health::Waiting;
                }
                TargetState::Unhealthy => return (Health::Failing, Some(failing(row))),
            }
        }
        (health, None)
    }
}

fn failing(row: &Target) -> FailingTarget {
    let reason = row.health.description.clone().or_else(|| row.health.reason.clone());
    FailingTarget {
        port: row.port,
        target_group: row.target_group_arn.clone(),
        reason: reason.unwrap_or_else(|| "Health checks failed".to_owned()),
    }
}

fn member(
    row: &ServiceTask,
    task: Option<&Task>,
    definition: Option<&TaskDefinition>,
    targets: &Targets,
    now: Timestamp,
) -> Member {
    let sight = task.map(|task| sight(task, definition, targets, now));
    // A task whose row is gone ended long ago.
    let (sight, failing_target) = sight.unwrap_or((Sight::Ended(End::Wanted), None));
    Member {
        task: row.task.clone(),
        deployment: row.deployment.clone(),
        provider: task.and_then(|task| task.capacity_provider.clone()),
        mark: row.mark,
        created_at: row.created_at,
        protected_until: task.and_then(|task| task.protected_until),
        sight,
        failing_target,
    }
}

fn sight(
    task: &Task,
    definition: Option<&TaskDefinition>,
    targets: &Targets,
    now: Timestamp,
) -> (Sight, Option<FailingTarget>) {
    let sight = match task.last_status {
        TaskStatus::Deprovisioning | TaskStatus::Stopped => Sight::Ended(end(task, definition, targets, now)),
        _ if task.desired_status == DesiredStatus::Stopped => Sight::Stopping,
        TaskStatus::Deactivating | TaskStatus::Stopping => Sight::Stopping,
        TaskStatus::Running => {
            let (health, failing) = targets.with(health(task, definition));
            return (Sight::Running { since: task.started_at.unwrap_or(task.created_at), health }, failing);
        }
        TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Activating => Sight::Starting,
    };
    (sight, None)
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

fn end(task: &Task, definition: Option<&TaskDefinition>, targets: &Targets, now: Timestamp) -> End {
    match task.stop_code {
        Some(StopCode::UserInitiated | StopCode::ServiceSchedulerInitiated) => return End::Wanted,
        Some(StopCode::TaskFailedToStart | StopCode::EssentialContainerExited) | None => {}
    }
    let is_checked = targets.are_wanted || health(task, definition) != Health::Unchecked;
    let until = task.execution_stopped_at.or(task.stopping_at).or(task.stopped_at).unwrap_or(now);
    let ran = task.started_at.map(|since| until.since(since)).unwrap_or_default();
    let not_placed = task.container_instance.is_none().then(|| task.stopped_reason.clone()).flatten();
    End::Failed { ran: (!is_checked).then_some(ran), not_placed }
}
