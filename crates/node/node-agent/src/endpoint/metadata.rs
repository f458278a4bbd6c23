//! Metadata of a task and its containers, with the names of the ECS developer guide's "task metadata endpoint". What
//! is not known is absent.

use super::Endpoint;
use super::answer::Version;
use crate::task::definition::ContainerDefinition;
use crate::task::health::Health;
use crate::task::record::{ContainerRecord, ImageLife, Life, TaskRecord};
use environment::Timestamp;
use serde_json::{Map, Value, json};
use std::net::Ipv4Addr;

/// An object in the making.
#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn set_some(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }
}

impl Endpoint {
    pub(super) fn task_metadata(&self, version: Version, record: &TaskRecord) -> Value {
        let task = &self.task;
        let containers =
            (0..task.containers.len()).map(|index| self.container_metadata(version, record, index));
        let mut limits = Object::default();
        limits.set_some("CPU", task.cpu.map(|units| f64::from(units) / 1024.0));
        limits.set_some("Memory", task.memory);
        let mut object = Object::default();
        object.set("Cluster", task.cluster.as_str());
        object.set("TaskARN", task.arn.as_str());
        object.set("Family", task.family.as_str());
        object.set("Revision", task.version.as_str());
        object.set("DesiredStatus", desired_status(record));
        object.set("KnownStatus", record.status().as_str());
        object.set("Limits", limits.0);
        object.set_some("PullStartedAt", record.pull_started_at.map(Timestamp::to_rfc3339));
        object.set_some("PullStoppedAt", record.pull_stopped_at.map(Timestamp::to_rfc3339));
        object.set_some("ExecutionStoppedAt", record.execution_stopped_at.map(Timestamp::to_rfc3339));
        object.set_some("AvailabilityZone", task.zone.clone());
        object.set("LaunchType", task.launch_type.as_str());
        if version == Version::V4 {
            object.set_some("ServiceName", task.service.clone());
            object.set("FaultInjectionEnabled", task.fault_injection);
        }
        object.set("Containers", containers.collect::<Vec<_>>());
        object.0.into()
    }

    /// What the task has written, and what it may write, in MiB as Fargate tells it.
    pub(super) async fn add_storage(&self, shown: &mut Value) {
        let (Some(gib), Ok(bytes)) = (self.task.storage, self.engine.disk_written(&self.task.id).await)
        else {
            return;
        };
        shown["EphemeralStorageMetrics"] = json!({"Utilized": bytes >> 20, "Reserved": u64::from(gib) << 10});
    }

    pub(super) fn container_metadata(&self, version: Version, record: &TaskRecord, index: usize) -> Value {
        let (definition, state) = (&self.task.containers[index], &record.containers[index]);
        let mut limits = Object::default();
        limits.set("CPU", definition.cpu_shares());
        limits.set_some("Memory", definition.memory_mib());
        let mut object = Object::default();
        object.set_some("DockerId", state.runtime_id.clone());
        object.set("Name", definition.name.as_str());
        object.set("DockerName", definition.name.as_str());
        object.set("Image", definition.image.as_str());
        object.set_some("ImageID", state.image_digest.clone());
        object.set("Labels", self.labels(definition));
        object.set("DesiredStatus", desired_status(record));
        object.set("KnownStatus", known_status(state));
        object.set_some("ExitCode", state.exit.as_ref().and_then(|exit| exit.code));
        object.set("Limits", limits.0);
        // A container is made and started in one step.
        let started = state.started_at.map(Timestamp::to_rfc3339);
        object.set_some("CreatedAt", started.clone());
        object.set_some("StartedAt", started);
        object.set_some("FinishedAt", state.exit.as_ref().map(|exit| exit.at.to_rfc3339()));
        object.set("Type", "NORMAL");
        object.set_some("Health", health(state));
        if version == Version::V4 {
            if let Some((driver, options)) = definition.log_driver() {
                object.set("LogDriver", driver);
                object.set("LogOptions", json!(options));
            }
            object.set_some("RestartCount", definition.restart.as_ref().map(|_| state.restarts));
            object.set_some("ContainerARN", Some(definition.arn.as_str()).filter(|arn| !arn.is_empty()));
        }
        object.set("Networks", vec![self.network(version)]);
        object.0.into()
    }

    /// The container's own labels and those that every agent adds.
    fn labels(&self, definition: &ContainerDefinition) -> Value {
        let task = &self.task;
        let mut labels = definition.labels().clone();
        for (name, value) in [
            ("cluster", &task.cluster),
            ("container-name", &definition.name),
            ("task-arn", &task.arn),
            ("task-definition-family", &task.family),
            ("task-definition-version", &task.version),
        ] {
            labels.insert(format!("com.amazonaws.ecs.{name}"), value.clone());
        }
        json!(labels)
    }

    fn network(&self, version: Version) -> Value {
        let network = &self.task.network;
        let mut object = Object::default();
        object.set("NetworkMode", "awsvpc");
        object.set("IPv4Addresses", vec![network.address.to_string()]);
        if version == Version::V4 {
            object.set("AttachmentIndex", 0);
            object.set_some("MACAddress", network.mac.clone());
            object.set_some(
                "IPv4SubnetCIDRBlock",
                network.gateway.map(|(gateway, prefix)| block(gateway, prefix)),
            );
            object.set("DomainNameServers", network.name_servers.clone());
            object.set("DomainNameSearchList", network.search.clone());
            object.set_some("PrivateDNSName", network.private_name.clone());
            let gateway = network.gateway.map(|(gateway, prefix)| format!("{gateway}/{prefix}"));
            object.set_some("SubnetGatewayIpv4Address", gateway);
        }
        object.0.into()
    }
}

/// The block of addresses that an address and its mask are in.
fn block(address: Ipv4Addr, prefix: u8) -> String {
    let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
    format!("{}/{prefix}", Ipv4Addr::from_bits(address.to_bits() & mask))
}

fn desired_status(record: &TaskRecord) -> &'static str {
    if record.stopping { "STOPPED" } else { "RUNNING" }
}

/// The published agent's names.
fn known_status(state: &ContainerRecord) -> &'static str {
    match (state.life, state.image) {
        (Life::Waiting, ImageLife::Present) => "PULLED",
        (Life::Waiting, ImageLife::Wanted | ImageLife::Pulling | ImageLife::Failed) => "NONE",
        (Life::Starting, _) => "CREATED",
        (Life::Running, _) => "RUNNING",
        (Life::Ended, _) => "STOPPED",
    }
}

fn health(state: &ContainerRecord) -> Option<Value> {
    let health = state.health.as_ref()?;
    let mut object = Object::default();
    object.set(
        "status",
        match health.health {
            Health::Healthy => "HEALTHY",
            Health::Unhealthy => "UNHEALTHY",
            Health::Unknown => "UNKNOWN",
        },
    );
    object.set_some("statusSince", health.since.map(Timestamp::to_rfc3339));
    object.set_some("output", Some(health.output.clone()).filter(|output| !output.is_empty()));
    Some(object.0.into())
}
