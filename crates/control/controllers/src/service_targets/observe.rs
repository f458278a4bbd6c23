//! Reads a service, its tasks, and the targets that they are registered as.

use super::ServiceTargetsController;
use resources::Stored;
use resources::ecs::{Service, ServiceEvents, ServiceLoadBalancer, ServiceTask, Task};
use resources::elb::{Target, TargetGroup};
use std::collections::{BTreeMap, BTreeSet};
use store::{StoreError, Versioned};

/// What a plan is made of.
#[derive(Default)]
pub(super) struct Observed {
    /// Key of the service.
    pub(super) key: String,
    /// `None` when it is gone; its targets go, too.
    pub(super) service: Option<Versioned<Service>>,
    pub(super) events: Option<Versioned<ServiceEvents>>,
    /// Tasks of the ledger and those that targets speak of.
    pub(super) tasks: Vec<Seen>,
    /// Targets of the service by their keys, and what is at the places that its tasks are to have.
    pub(super) targets: BTreeMap<String, Versioned<Target>>,
    /// Target groups by ARN.
    pub(super) groups: BTreeMap<String, Versioned<TargetGroup>>,
}

/// A task.
pub(super) struct Seen {
    /// Its key.
    pub(super) key: String,
    /// `None` when it is gone.
    pub(super) task: Option<Versioned<Task>>,
    /// Where it is to be registered while it runs.
    pub(super) wanted: Vec<ServiceLoadBalancer>,
}

impl ServiceTargetsController {
    pub(super) async fn observe(&self, key: &str) -> Result<Observed, StoreError> {
        let tables = &self.tables;
        let service = tables.get::<Service>(key).await?;
        let mut observed =
            Observed { key: key.to_owned(), events: tables.get(key).await?, ..Observed::default() };
        let mut wanted: BTreeMap<String, Vec<ServiceLoadBalancer>> = BTreeMap::new();
        for row in tables.list_all::<ServiceTask>(&format!("{key}/")).await? {
            let task = format!("{}/{}/{}", row.account, row.cluster, row.task);
            wanted.insert(
                task,
                service.as_ref().map(|own| of_deployment(own, &row.deployment)).unwrap_or_default(),
            );
        }
        let account = key.split('/').next().unwrap_or_default();
        for target in tables.list_all::<Target>(&format!("{account}/")).await? {
            if target.service.as_deref() == Some(key) {
                wanted.entry(target.task.clone().unwrap_or_default()).or_default();
                observed.targets.insert(target.key(), target);
            }
        }
        let arns: BTreeSet<&str> = wanted
            .values()
            .flatten()
            .map(|own| own.target_group_arn.as_str())
            .chain(observed.targets.values().map(|own| own.value.target_group_arn.as_str()))
            .collect();
        let mut groups = BTreeMap::new();
        for arn in arns {
            let Some(key) = TargetGroup::key_in(arn) else { continue };
            if let Some(group) = tables.get::<TargetGroup>(&key).await?.filter(|group| group.arn == arn) {
                groups.insert(arn.to_owned(), group);
            }
        }
        observed.groups = groups;
        for (key, wanted) in wanted {
            let task = tables.get::<Task>(&key).await?;
            for place in task.iter().flat_map(|task| places(task, &wanted, &observed.groups)) {
                if let Some(target) = tables.get::<Target>(&place.key()).await? {
                    observed.targets.insert(place.key(), target);
                }
            }
            observed.tasks.push(Seen { key, task, wanted });
        }
        observed.service = service;
        Ok(observed)
    }
}

/// Where the tasks of a deployment are registered.
fn of_deployment(service: &Service, deployment: &str) -> Vec<ServiceLoadBalancer> {
    let own = service.deployments.iter().find(|own| own.id == deployment);
    own.map(|own| own.workload.load_balancers.clone()).unwrap_or_default()
}

/// A place where a task is to be registered.
pub(super) struct Place<'a> {
    pub(super) group: &'a TargetGroup,
    pub(super) address: std::net::Ipv4Addr,
    pub(super) port: u16,
}

impl Place<'_> {
    /// Key of the target there.
    pub(super) fn key(&self) -> String {
        Target::key_of(&self.group.account, &self.group.name, self.address.into(), self.port)
    }
}

/// The places of a task in groups that are there.
pub(super) fn places<'a>(
    task: &Task,
    wanted: &[ServiceLoadBalancer],
    groups: &'a BTreeMap<String, Versioned<TargetGroup>>,
) -> Vec<Place<'a>> {
    let Some(interface) = &task.network_interface else { return Vec::new() };
    wanted
        .iter()
        .filter_map(|own| {
            let group = &*groups.get(&own.target_group_arn)?.value;
            Some(Place { group, address: interface.address, port: own.container_port })
        })
        .collect()
}
