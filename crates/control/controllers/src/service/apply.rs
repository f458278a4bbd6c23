//! Carries a plan out: one transaction.

use super::observe::Observed;
use super::{KEEP_INACTIVE, ServiceController};
use reconcile::Next;
use resources::Stored;
use resources::ecs::{
    ConnectEndpoint, ConnectService, Deployment, Launch, PropagateTags, Service, ServiceDeployment,
    ServiceEvent, ServiceEvents, ServiceRegistry, ServiceRevision, ServiceTask, StopCode, Tag, Task,
    TaskConnect, TaskDefinition, TaskMark, TaskRegistry,
};
use service_deployments::{Plan, Start};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::{Batch, StoreError, Versioned};

/// Wait when the task definition of a deployment is not there.
const NO_DEFINITION: Duration = Duration::from_secs(30);
/// Service deployments of a service that are kept, the newest ones.
const KEPT_DEPLOYMENTS: usize = 100;

impl ServiceController {
    pub(super) async fn apply(&self, observed: Observed, plan: Plan) -> Result<Next, StoreError> {
        let next = plan.again.map_or(Next::Settled, Next::After);
        let record = observed.record.as_ref();
        let is_same = plan.service == *observed.service.value
            && plan.record.as_ref() == record.map(|record| &*record.value)
            && plan.events.is_empty()
            && plan.start.is_empty()
            && plan.stop.is_empty()
            && plan.marks.is_empty()
            && plan.settled.is_empty();
        if is_same {
            return Ok(next);
        }
        let mut batch = self.tables.batch().replace(&observed.service, &plan.service);
        if let (Some(old), Some(new)) = (record, &plan.record)
            && *old.value != *new
        {
            batch = batch.replace(old, new);
        }
        batch = self.write_events(batch, &observed, &plan);
        batch = self.stop_tasks(batch, &observed, &plan);
        batch = mark_tasks(batch, &observed, &plan);
        batch = self.shift_rules(batch, &observed.service, &plan.service).await?;
        for deployment in &plan.service.deployments {
            if !plan.start.iter().any(|start| start.deployment == deployment.id) {
                continue;
            }
            let workload = &deployment.workload;
            let key = TaskDefinition::key_of(&plan.service.account, &workload.family, workload.revision);
            let Some(definition) = self.tables.get::<TaskDefinition>(&key).await? else {
                // Nothing takes away what a service uses, so this is an old loss; there is nothing to start.
                tracing::error!(
                    service = plan.service.key(),
                    definition = key,
                    "the task definition is gone"
                );
                return Ok(Next::After(NO_DEFINITION));
            };
            let pinned;
            (batch, pinned) = self.settle_revision(batch, &observed, deployment, &definition).await?;
            batch = self.start_tasks(batch, &plan, deployment, (&definition, pinned));
        }
        batch.commit().await?;
        if record.is_some() && plan.record.as_ref().is_some_and(|record| record.status.is_final()) {
            self.prune(&plan.service).await?;
        }
        Ok(next)
    }

    fn write_events(&self, batch: Batch, observed: &Observed, plan: &Plan) -> Batch {
        if plan.events.is_empty() {
            return batch;
        }
        let environment = self.tables.environment();
        let service = &plan.service;
        let mut events = observed.events.as_ref().map_or_else(
            || ServiceEvents {
                account: service.account.clone(),
                cluster: service.cluster.clone(),
                service: service.name.clone(),
                events: Vec::new(),
            },
            |row| ServiceEvents::clone(row),
        );
        for message in &plan.events {
            let (id, created_at) = (environment.uuid(), environment.now());
            events.add(ServiceEvent { id, created_at, message: message.clone() });
        }
        match &observed.events {
            Some(old) => batch.replace(old, &events),
            None => batch.create(&events),
        }
    }

    fn start_tasks(
        &self,
        mut batch: Batch,
        plan: &Plan,
        deployment: &Deployment,
        (definition, pinned): (&Versioned<TaskDefinition>, Pinned),
    ) -> Batch {
        batch = batch.require_exists(definition);
        let now = self.tables.environment().now();
        for start in plan.start.iter().filter(|start| start.deployment == deployment.id) {
            let connect = deployment.workload.connect.as_ref().map(|own| TaskConnect {
                endpoints: pinned.endpoints.clone(),
                ingress: own.ingress(),
                logs: own.logs.clone(),
            });
            let digests = pinned.digests.clone();
            let launch = Launch { digests, connect, ..launch(&plan.service, deployment, definition, start) };
            let task = Task::launched(definition, launch, self.tables.environment(), now);
            let entry = ServiceTask {
                account: task.account.clone(),
                cluster: task.cluster.clone(),
                service: plan.service.name.clone(),
                task: task.id.clone(),
                deployment: deployment.id.clone(),
                mark: TaskMark::New,
                created_at: now,
            };
            batch = batch.create(&task).create(&entry);
        }
        batch
    }

    /// What all tasks of a deployment have alike: the digests of images, those that its revision has and those that its
    /// first tasks have pulled, and the endpoints of Service Connect.
    async fn settle_revision(
        &self,
        batch: Batch,
        observed: &Observed,
        deployment: &Deployment,
        definition: &TaskDefinition,
    ) -> Result<(Batch, Pinned), StoreError> {
        let key = format!("{}/{}", observed.service.key(), deployment.service_revision);
        let Some(old) = self.tables.get::<ServiceRevision>(&key).await? else {
            return Ok((batch, Pinned::default()));
        };
        let mut new = ServiceRevision::clone(&old);
        let own = observed.ledger.values().filter(|(row, _)| row.deployment == deployment.id);
        for container in own.filter_map(|(_, task)| task.as_ref()).flat_map(|task| &task.containers) {
            let is_pinned =
                definition.containers.iter().any(|own| own.name == container.name && own.is_pinned());
            if let Some(digest) = container.image_digest.as_ref().filter(|_| is_pinned) {
                new.digests.entry(container.name.clone()).or_insert_with(|| digest.clone());
            }
        }
        let pinned = Pinned { digests: new.digests.clone(), endpoints: new.endpoints.clone() };
        if new.digests == old.digests {
            return Ok((batch, pinned));
        }
        Ok((batch.replace(&old, &new), pinned))
    }

    fn stop_tasks(&self, mut batch: Batch, observed: &Observed, plan: &Plan) -> Batch {
        let now = self.tables.environment().now();
        for stop in &plan.stop {
            let Some((_, Some(old))) = observed.ledger.get(&stop.task) else { continue };
            let mut task = Task::clone(old);
            task.want_stop(StopCode::ServiceSchedulerInitiated, stop.reason.clone(), now);
            batch = batch.replace(old, &task);
        }
        batch
    }

    /// Lets a deleted service go with all that is known of it, when it was shown for long enough.
    pub(super) async fn reap(&self, observed: &Observed) -> Result<Next, StoreError> {
        let service = &observed.service;
        let left =
            (service.deleted_at.unwrap_or_default() + KEEP_INACTIVE).since(self.tables.environment().now());
        // One that was deleted far in the future was so before the clock was put back.
        if !left.is_zero() && left <= KEEP_INACTIVE * 2 {
            return Ok(Next::After(left));
        }
        let prefix = format!("{}/", service.key());
        let mut batch = self.tables.batch().delete(service);
        if let Some(events) = &observed.events {
            batch = batch.delete(events);
        }
        for record in self.tables.list_all::<ServiceDeployment>(&prefix).await? {
            batch = batch.delete(&record);
        }
        for revision in self.tables.list_all::<ServiceRevision>(&prefix).await? {
            batch = batch.delete(&revision);
        }
        batch.commit().await?;
        Ok(Next::Settled)
    }

    /// Lets the oldest service deployments go, and service revisions that nothing speaks of any more.
    async fn prune(&self, service: &Service) -> Result<(), StoreError> {
        let prefix = format!("{}/", service.key());
        let mut records = self.tables.list_all::<ServiceDeployment>(&prefix).await?;
        if records.len() <= KEPT_DEPLOYMENTS {
            return Ok(());
        }
        records.sort_by_key(|record| record.created_at);
        let surplus = records.len() - KEPT_DEPLOYMENTS;
        let mut used: BTreeSet<&str> = BTreeSet::new();
        for record in &records[surplus..] {
            used.insert(&record.value.target);
            used.extend(record.value.sources.iter().map(String::as_str));
        }
        used.extend(service.deployments.iter().map(|own| own.service_revision.as_str()));
        used.extend(service.last_completed.iter().map(|own| own.service_revision.as_str()));
        let mut batch = self.tables.batch();
        for record in &records[..surplus] {
            batch = batch.delete(record);
        }
        for revision in self.tables.list_all::<ServiceRevision>(&prefix).await? {
            if !used.contains(revision.id.as_str()) {
                batch = batch.delete(&revision);
            }
        }
        batch.commit().await.map(|_| ())
    }
}

/// What all tasks of a deployment have alike.
#[derive(Default)]
struct Pinned {
    /// Digests of images by the names of containers.
    digests: BTreeMap<String, String>,
    /// What they reach by Service Connect.
    endpoints: Vec<ConnectEndpoint>,
}

fn mark_tasks(mut batch: Batch, observed: &Observed, plan: &Plan) -> Batch {
    let is_settled = |task: &str| plan.settled.iter().any(|settled| settled == task);
    for (task, mark) in &plan.marks {
        if let Some((row, _)) = observed.ledger.get(task).filter(|_| !is_settled(task)) {
            batch = batch.replace(row, &ServiceTask { mark: *mark, ..ServiceTask::clone(row) });
        }
    }
    for task in &plan.settled {
        if let Some((row, _)) = observed.ledger.get(task) {
            batch = batch.delete(row);
        }
    }
    batch
}

/// What a task of a service is started with.
fn launch(service: &Service, deployment: &Deployment, definition: &TaskDefinition, start: &Start) -> Launch {
    let mut tags = match service.propagate_tags {
        PropagateTags::None => Vec::new(),
        PropagateTags::TaskDefinition => definition.tags.clone(),
        PropagateTags::Service => service.tags.clone(),
    };
    if service.managed_tags {
        let tag = |key: &str, value: &str| Tag { key: key.to_owned(), value: value.to_owned() };
        tags.push(tag("aws:ecs:clusterName", &service.cluster));
        tags.push(tag("aws:ecs:serviceName", &service.name));
    }
    let registry =
        |own: &ServiceRegistry| TaskRegistry { service: own.service.clone(), port: own.registered_port() };
    let offered =
        |own: &ConnectService| TaskRegistry { service: own.service.clone(), port: Some(own.reached_at()) };
    let workload = &deployment.workload;
    let mut registries: Vec<TaskRegistry> = workload.registries.iter().map(registry).collect();
    registries.extend(workload.connect.iter().flat_map(|own| &own.services).map(offered));
    Launch {
        cluster: service.cluster.clone(),
        id: start.task.clone(),
        subnets: deployment.workload.subnets.clone(),
        security_groups: deployment.workload.security_groups.clone(),
        group: Some(format!("service:{}", service.name)),
        started_by: Some(deployment.id.clone()),
        service: Some(service.name.clone()),
        capacity_provider: start.provider.clone(),
        registries,
        execute_command: service.execute_command,
        tags,
        volumes: deployment.workload.volumes.clone(),
        ..Launch::default()
    }
}
