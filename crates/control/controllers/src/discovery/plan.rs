//! What a task is as an instance of Cloud Map. Pure.

use identifiers::Region;
use resources::discovery::{
    ATTRIBUTE_INIT_HEALTH, ATTRIBUTE_IPV4, ATTRIBUTE_PORT, DiscoveryService, Instance,
};
use resources::ecs::{DesiredStatus, HealthStatus, Task, TaskDefinition, TaskRegistry, TaskStatus};
use std::collections::BTreeMap;

/// The step towards what an instance should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It is as it should be.
    Nothing,
    /// It should be there.
    Register(Instance),
    /// It is as healthy as its task.
    SetHealth(bool),
    /// It should not be there.
    Deregister,
}

/// What to do, with the instance that is there.
pub(super) fn plan(wanted: Option<Instance>, found: Option<&Instance>) -> Step {
    match (wanted, found) {
        (None, Some(found)) if found.task.is_some() => Step::Deregister,
        (Some(wanted), None) => Step::Register(wanted),
        // What a user changed of it is left alone, but for its health.
        (Some(wanted), Some(found)) if wanted.is_healthy != found.is_healthy => {
            Step::SetHealth(wanted.is_healthy)
        }
        // As it should be; or somebody else has registered something by this name, and it is theirs.
        (None | Some(_), None | Some(_)) => Step::Nothing,
    }
}

/// Whether a task is to be found: it runs, and nobody wants it stopped.
pub(super) fn is_found(task: &Task) -> bool {
    task.last_status == TaskStatus::Running
        && task.desired_status == DesiredStatus::Running
        && task.network_interface.is_some()
}

/// The instance that a task should be, if any.
pub(super) fn instance(
    task: &Task,
    definition: Option<&TaskDefinition>,
    registry: &TaskRegistry,
    service: &DiscoveryService,
    region: &Region,
) -> Option<Instance> {
    let interface = task.network_interface.as_ref().filter(|_| is_found(task))?;
    let is_healthy = service.custom_health.is_none() || is_healthy(task, definition);
    let mut attributes = BTreeMap::new();
    let mut set = |key: &str, value: String| drop(attributes.insert(key.to_owned(), value));
    set(ATTRIBUTE_IPV4, interface.address.to_string());
    if let Some(port) = registry.port {
        set(ATTRIBUTE_PORT, port.to_string());
    }
    if service.custom_health.is_some() {
        set(ATTRIBUTE_INIT_HEALTH, if is_healthy { "HEALTHY" } else { "UNHEALTHY" }.to_owned());
    }
    if let Some(own) = &task.network_interface {
        set("AVAILABILITY_ZONE", format!("{region}{}", own.zone));
    }
    set("REGION", region.to_string());
    set("ECS_CLUSTER_NAME", task.cluster.clone());
    set("ECS_TASK_DEFINITION_FAMILY", task.family.clone());
    if let Some(service) = &task.service {
        set("ECS_SERVICE_NAME", service.clone());
    }
    Some(Instance {
        account: task.account.clone(),
        service: service.id.clone(),
        id: task.id.clone(),
        attributes,
        creator_request_id: None,
        is_healthy,
        task: Some(resources::Stored::key(task)),
        registered_at: task.started_at.unwrap_or(task.created_at),
    })
}

/// Whether the checks of the essential containers pass; a task without a check is healthy as soon as it runs.
fn is_healthy(task: &Task, definition: Option<&TaskDefinition>) -> bool {
    let checked = definition
        .iter()
        .flat_map(|definition| &definition.containers)
        .filter(|container| container.essential && container.health_check.is_some());
    checked.into_iter().all(|container| {
        let seen = task.containers.iter().find(|seen| seen.name == container.name);
        seen.is_some_and(|seen| seen.health == HealthStatus::Healthy)
    })
}
