//! Reads a service and its tasks.

use super::ServiceController;
use environment::Timestamp;
use resources::Stored;
use resources::ec2::{Address, Subnet};
use resources::ecs::{
    Controller, Deployment, DesiredStatus, HealthStatus, NO_CAPACITY, RolloutState, Service,
    ServiceDeployment, ServiceEvents, ServiceTask, StopCode, Task, TaskDefinition, TaskMark, TaskStatus,
};
use resources::elb::{Target, TargetState};
use service_deployments::{End, FailingTarget, Health, Member, Sight, WatchedAlarm};
use std::collections::{BTreeMap, BTreeSet};
use store::{StoreError, Versioned};

/// What a plan is made of, with the rows that it was read from.
pub struct Observed {
    pub service: Versioned<Service>,
    /// The record of the newest deployment, unless it is over.
    pub record: Option<Versioned<ServiceDeployment>>,
    pub events: Option<Versioned<ServiceEvents>>,
    /// The alarms that the deployment in progress watches.
    pub alarms: Vec<WatchedAlarm>,
    pub members: Vec<Member>,
    /// Availability zones with room for a task, when its tasks are uneven over them.
    pub zones: Vec<String>,
    /// Rows of the ledger and their tasks, by the id of the task.
    pub ledger: BTreeMap<String, (Versioned<ServiceTask>, Option<Versioned<Task>>)>,
}

impl ServiceController {
    /// `None` when there is no such service. The service is read before its tasks, so that a plan of another that is
    /// missing in them has changed the service as well.
    pub(super) async fn observe(&self, key: &str) -> Result<Option<Observed>, StoreError> {
        let Some(service) = self.tables.get::<Service>(key).await? else {
            self.alarms(key, None).await?;
            return Ok(None);
        };
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
            members.push(self.member(
                &row,
                task.as_ref().map(|task| &*task.value),
                definition.map(|d| &*d.value),
                &targets,
                now,
            ));
            ledger.insert(row.task.clone(), (row, task));
        }
        let record = record.filter(|record| !record.status.is_final());
        let alarms = self.alarms(key, record.as_ref().map(|record| &*record.value)).await?;
        debug_assert_eq!(service.key(), key);
        let zones = self.zones(&service, &members).await?;
        Ok(Some(Observed { service, record, events, alarms, members, zones, ledger }))
    }

    /// The availability zones of a service at rest that have room for a task, when its tasks are uneven over them.
    async fn zones(&self, service: &Service, members: &[Member]) -> Result<Vec<String>, StoreError> {
        let is_done = |own: &&Deployment| own.rollout == RolloutState::Completed;
        let Some(primary) = service.primary().filter(is_done) else { return Ok(Vec::new()) };
        if !service.zone_rebalancing
            || service.controller == Controller::External
            || service.deployments.len() != 1
        {
            return Ok(Vec::new());
        }
        let mut subnets = Vec::new();
        for id in &primary.workload.subnets {
            let row = self.tables.get::<Subnet>(&format!("{}/{id}", service.account)).await?;
            subnets.extend(row.filter(|subnet| !subnet.closing));
        }
        let mut counts: BTreeMap<String, usize> =
            subnets.iter().map(|subnet| (self.zone(&subnet.zone), 0)).collect();
        let works = |member: &&Member| member.mark == TaskMark::Healthy;
        for zone in members.iter().filter(works).filter_map(|member| member.zone.clone()) {
            *counts.entry(zone).or_default() += 1;
        }
        let (least, most) = (counts.values().min(), counts.values().max());
        if least.zip(most).is_none_or(|(least, most)| *most < least + 2) {
            return Ok(Vec::new());
        }
        let used = self.tables.list_all::<Address>("").await?;
        let has_room = |subnet: &Versioned<Subnet>| {
            let addresses = subnet.addresses();
            let count = used.iter().filter(|row| addresses.contains(&row.address.to_bits())).count();
            (count as u64) < u64::from(subnet.size())
        };
        let mut zones: BTreeSet<String> =
            subnets.iter().filter(|subnet| has_room(subnet)).map(|subnet| self.zone(&subnet.zone)).collect();
        // Where one has just been given a place, there was room.
        let new = members.iter().filter(|member| member.mark == TaskMark::New);
        zones.extend(new.filter_map(|member| member.zone.clone()));
        Ok(zones.into_iter().collect())
    }

    fn member(
        &self,
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
            zone: task.and_then(|task| task.network_interface.as_ref()).map(|own| self.zone(&own.zone)),
            provider: task.and_then(|task| task.capacity_provider.clone()),
            mark: row.mark,
            created_at: row.created_at,
            protected_until: task.and_then(|task| task.protected_until),
            sight,
            failing_target,
            not_placed: task.and_then(|task| task.lack).map(|_| NO_CAPACITY.to_owned()),
        }
    }

    /// The name of a zone of the region.
    fn zone(&self, letter: &str) -> String {
        format!("{}{letter}", self.region)
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
        Some(StopCode::UserInitiated | StopCode::ServiceSchedulerInitiated | StopCode::SpotInterruption) => {
            return End::Wanted;
        }
        Some(StopCode::TaskFailedToStart | StopCode::EssentialContainerExited) | None => {}
    }
    let is_checked = targets.are_wanted || health(task, definition) != Health::Unchecked;
    let until = task.execution_stopped_at.or(task.stopping_at).or(task.stopped_at).unwrap_or(now);
    let ran = task.started_at.map(|since| until.since(since)).unwrap_or_default();
    let not_placed = task.container_instance.is_none().then(|| task.stopped_reason.clone()).flatten();
    End::Failed { ran: (!is_checked).then_some(ran), not_placed }
}
