//! New tasks from a task definition, whoever starts them.

use super::{
    ContainerDefinition, DesiredStatus, ExecAgent, HealthStatus, ManagedVolume, Tag, Task, TaskConnect,
    TaskContainer, TaskDefinition, TaskOverride, TaskRegistry, TaskStatus, VolumeRequest,
};
use environment::{Environment, Timestamp};
use std::collections::BTreeMap;

/// GiB of scratch space without a setting.
const DEFAULT_STORAGE: u32 = 20;

/// What is asked for beside the task definition.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    /// Name of the cluster.
    pub cluster: String,
    /// 32 hexadecimal digits.
    pub id: String,
    /// CPU units and MiB instead of the definition's.
    pub size: Option<(u32, u32)>,
    /// Changes of the task definition.
    pub overrides: TaskOverride,
    /// Subnets.
    pub subnets: Vec<String>,
    /// Security groups.
    pub security_groups: Vec<String>,
    /// Group; `family:NAME` when not told.
    pub group: Option<String>,
    /// Who starts it.
    pub started_by: Option<String>,
    /// Service that it belongs to.
    pub service: Option<String>,
    /// Capacity provider that it was started through.
    pub capacity_provider: Option<String>,
    /// Digests of the images that containers run, by their names; of others the image decides when it is pulled.
    pub digests: BTreeMap<String, String>,
    /// Services of Cloud Map that it is an instance of.
    pub registries: Vec<TaskRegistry>,
    /// What its Service Connect proxy does, if it shall have one.
    pub connect: Option<TaskConnect>,
    /// Commands may be run in its containers.
    pub execute_command: bool,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Volumes to make for it.
    pub volumes: Vec<VolumeRequest>,
}

impl Task {
    /// A task that is `PROVISIONING`. Its ids and the name of its credentials are random.
    pub fn launched(
        definition: &TaskDefinition,
        launch: Launch,
        random: &Environment,
        now: Timestamp,
    ) -> Self {
        let over = &launch.overrides;
        let (cpu, memory) = launch.size.unwrap_or((definition.cpu, definition.memory));
        let storage = over.ephemeral_storage.or(definition.ephemeral_storage).unwrap_or(DEFAULT_STORAGE);
        let containers = definition.containers.iter().map(|own| {
            let pinned = launch.digests.get(&own.name).filter(|_| own.is_pinned()).cloned();
            let exec_agent = launch.execute_command.then(ExecAgent::default);
            TaskContainer { pinned_digest: pinned, exec_agent, ..container(own, over, random.uuid()) }
        });
        Self {
            account: definition.account.clone(),
            cluster: launch.cluster,
            id: launch.id,
            family: definition.family.clone(),
            revision: definition.revision,
            desired_status: DesiredStatus::Running,
            last_status: TaskStatus::Provisioning,
            containers: containers.collect(),
            cpu,
            memory,
            ephemeral_storage: storage,
            volumes: launch.volumes.into_iter().map(|request| ManagedVolume::new(request, random)).collect(),
            overrides: launch.overrides,
            subnets: launch.subnets,
            security_groups: launch.security_groups,
            network_interface: None,
            container_instance: None,
            lack: None,
            credentials_id: random.uuid(),
            group: launch.group.unwrap_or_else(|| format!("family:{}", definition.family)),
            started_by: launch.started_by,
            service: launch.service,
            capacity_provider: launch.capacity_provider,
            protected_until: None,
            targets: Vec::new(),
            registries: launch.registries,
            connect: launch.connect,
            execute_command: launch.execute_command,
            tags: launch.tags,
            version: 1,
            created_at: now,
            connectivity_at: None,
            pull_started_at: None,
            pull_stopped_at: None,
            started_at: None,
            stopping_at: None,
            execution_stopped_at: None,
            stopped_at: None,
            stop_code: None,
            stopped_reason: None,
        }
    }
}

fn container(own: &ContainerDefinition, over: &TaskOverride, id: String) -> TaskContainer {
    let over = over.containers.iter().find(|over| over.name == own.name);
    TaskContainer {
        name: own.name.clone(),
        id,
        image: own.image.clone(),
        last_status: "PENDING".to_owned(),
        image_digest: None,
        pinned_digest: None,
        runtime_id: None,
        exit_code: None,
        reason: None,
        health: HealthStatus::Unknown,
        essential: own.essential,
        cpu: over.and_then(|over| over.cpu).unwrap_or(own.cpu),
        memory: over.and_then(|over| over.memory).or(own.memory),
        memory_reservation: over.and_then(|over| over.memory_reservation).or(own.memory_reservation),
        exec_agent: None,
    }
}
