//! "ECS Task State Change": a task, as DescribeTasks shows it, whenever its version grew.

use super::{Announcement, Announcer, ecs_arn, ecs_event};
use environment::Timestamp;
use event_outbox::Outbox;
use identifiers::{AccountId, Region};
use resources::Stored;
use resources::ecs::{HealthStatus, NetworkInterface, Task, TaskContainer, TaskStatus};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use store::{StoreError, Versioned};

/// Follows tasks.
pub(crate) struct Tasks {
    outbox: Outbox,
    /// The version of each task that was told last, kept while somebody listens.
    versions: HashMap<String, u64>,
    listening: bool,
}

impl Tasks {
    pub(crate) fn new(outbox: Outbox) -> Self {
        Self { outbox, versions: HashMap::new(), listening: false }
    }
}

impl Announcer for Tasks {
    type Row = Task;

    fn account(row: &Task) -> &AccountId {
        &row.account
    }

    async fn changed(&mut self, row: &Versioned<Task>, listened: bool) -> Result<Announcement, StoreError> {
        self.listening = listened;
        if !listened {
            self.versions.clear();
        }
        if !listened || self.versions.get(&row.key()) == Some(&row.version) {
            return Ok(Announcement::default());
        }
        let region = self.outbox.region();
        let now = self.outbox.tables().environment().now();
        let detail = document(row, region, now);
        let resource = ecs_arn(region, &row.account, format!("task/{}/{}", row.cluster, row.id));
        let event = ecs_event(&self.outbox, &row.account, "ECS Task State Change", resource, detail);
        Ok(Announcement { events: vec![event], note: None })
    }

    fn known(&mut self, row: &Versioned<Task>) {
        if self.listening {
            self.versions.insert(row.key(), row.version);
        }
    }

    fn gone(&mut self, key: &str) {
        self.versions.remove(key);
    }
}

/// A task as the detail of its event.
pub(crate) fn document(task: &Task, region: &Region, updated_at: Timestamp) -> Value {
    let arn = |resource: String| ecs_arn(region, &task.account, resource);
    let task_arn = arn(format!("task/{}/{}", task.cluster, task.id));
    let containers = task.containers.iter().map(|item| {
        container(task, item, &arn(format!("container/{}/{}/{}", task.cluster, task.id, item.id)), &task_arn)
    });
    let mut detail = json!({
        "attachments": task.network_interface.iter().map(|i| attachment(task, i)).collect::<Vec<_>>(),
        "attributes": [{"name": "ecs.cpu-architecture", "value": std::env::consts::ARCH}],
        "availabilityZone": task.network_interface.as_ref().map(|own| format!("{region}{}", own.zone)),
        "clusterArn": arn(format!("cluster/{}", task.cluster)),
        "containers": containers.collect::<Vec<_>>(),
        "cpu": task.cpu.to_string(),
        "createdAt": task.created_at.to_rfc3339(),
        "desiredStatus": task.desired_status.as_str(),
        "enableExecuteCommand": task.containers.iter().any(|own| own.exec_agent.is_some()),
        "ephemeralStorage": {"sizeInGiB": task.ephemeral_storage},
        "group": task.group,
        "lastStatus": task.last_status.as_str(),
        "launchType": "FARGATE",
        "memory": task.memory.to_string(),
        "overrides": overrides(task),
        "platformVersion": "1.4.0",
        "taskArn": task_arn,
        "taskDefinitionArn": arn(format!("task-definition/{}:{}", task.family, task.revision)),
        "updatedAt": updated_at.to_rfc3339(),
        "version": task.version,
    });
    let Some(members) = detail.as_object_mut() else { return detail };
    if task.connectivity_at.is_some() {
        members.insert("connectivity".to_owned(), json!("CONNECTED"));
    }
    let times = [
        ("connectivityAt", task.connectivity_at),
        ("pullStartedAt", task.pull_started_at),
        ("pullStoppedAt", task.pull_stopped_at),
        ("startedAt", task.started_at),
        ("stoppingAt", task.stopping_at),
        ("executionStoppedAt", task.execution_stopped_at),
        ("stoppedAt", task.stopped_at),
    ];
    for (name, time) in times {
        insert(members, name, time.map(Timestamp::to_rfc3339));
    }
    insert(members, "capacityProviderName", task.capacity_provider.clone());
    insert(members, "startedBy", task.started_by.clone());
    insert(members, "stopCode", task.stop_code.map(|code| code.as_str().to_owned()));
    insert(members, "stoppedReason", task.stopped_reason.clone());
    if task.health() != HealthStatus::Unknown {
        insert(members, "healthStatus", Some(health(task.health())));
    }
    detail
}

/// Puts a member in where there is a value.
fn insert(members: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        members.insert(name.to_owned(), value.into());
    }
}

fn health(health: HealthStatus) -> &'static str {
    match health {
        HealthStatus::Healthy => "HEALTHY",
        HealthStatus::Unhealthy => "UNHEALTHY",
        HealthStatus::Unknown => "UNKNOWN",
    }
}

fn attachment(task: &Task, interface: &NetworkInterface) -> Value {
    let status = match task.last_status {
        TaskStatus::Provisioning | TaskStatus::Pending => "ATTACHING",
        TaskStatus::Stopped => "DELETED",
        _ => "ATTACHED",
    };
    json!({
        "id": interface.attachment_id,
        "type": "eni",
        "status": status,
        "details": [
            {"name": "subnetId", "value": interface.subnet_id},
            {"name": "networkInterfaceId", "value": interface.id},
            {"name": "macAddress", "value": interface.mac},
            {"name": "privateIPv4Address", "value": interface.address},
        ],
    })
}

fn container(task: &Task, container: &TaskContainer, arn: &str, task_arn: &str) -> Value {
    let interfaces = task.network_interface.iter().map(
        |interface| json!({"attachmentId": interface.attachment_id, "privateIpv4Address": interface.address}),
    );
    let mut shown = json!({
        "containerArn": arn,
        "cpu": container.cpu.to_string(),
        "image": container.image,
        "lastStatus": container.last_status,
        "name": container.name,
        "networkInterfaces": interfaces.collect::<Vec<_>>(),
        "taskArn": task_arn,
    });
    let Some(members) = shown.as_object_mut() else { return shown };
    insert(members, "exitCode", container.exit_code);
    insert(members, "imageDigest", container.image_digest.clone());
    insert(members, "memory", container.memory.map(|memory| memory.to_string()));
    insert(members, "memoryReservation", container.memory_reservation.map(|memory| memory.to_string()));
    insert(members, "reason", container.reason.clone());
    insert(members, "runtimeId", container.runtime_id.clone());
    if container.health != HealthStatus::Unknown {
        insert(members, "healthStatus", Some(health(container.health)));
    }
    shown
}

/// What RunTask changed, with the variables: AWS sends them, too.
fn overrides(task: &Task) -> Value {
    let over = &task.overrides;
    let containers = task.containers.iter().map(|container| {
        let mut shown = json!({"name": container.name});
        let given = over.containers.iter().find(|given| given.name == container.name);
        let (Some(members), Some(given)) = (shown.as_object_mut(), given) else { return shown };
        insert(members, "command", given.command.clone());
        insert(members, "cpu", given.cpu);
        insert(members, "memory", given.memory);
        insert(members, "memoryReservation", given.memory_reservation);
        if !given.environment.is_empty() {
            let environment =
                given.environment.iter().map(|(name, value)| json!({"name": name, "value": value}));
            members.insert("environment".to_owned(), environment.collect());
        }
        shown
    });
    let mut shown = json!({"containerOverrides": containers.collect::<Vec<_>>()});
    let Some(members) = shown.as_object_mut() else { return shown };
    insert(members, "cpu", over.cpu.clone());
    insert(members, "memory", over.memory.clone());
    insert(members, "taskRoleArn", over.task_role_arn.clone());
    insert(members, "executionRoleArn", over.execution_role_arn.clone());
    shown
}
