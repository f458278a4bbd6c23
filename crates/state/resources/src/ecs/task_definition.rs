//! Task definitions: only what is honoured is stored; everything else is refused at registration.

use super::{Tag, VolumeKind};
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A revision of a task definition.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaskDefinition {
    /// Owner.
    pub account: AccountId,
    /// Family.
    pub family: String,
    /// Revision, beginning with 1.
    pub revision: u32,
    /// Whether it may be used.
    pub status: DefinitionStatus,
    /// Network mode as given, for example `awsvpc`.
    pub network_mode: String,
    /// Launch types it was validated for.
    pub requires_compatibilities: Vec<String>,
    /// CPU units.
    pub cpu: u32,
    /// MiB.
    pub memory: u32,
    /// Role of the containers, by ARN or name.
    pub task_role_arn: Option<String>,
    /// Role of the agent for the task, by ARN or name.
    pub execution_role_arn: Option<String>,
    /// Containers.
    pub containers: Vec<ContainerDefinition>,
    /// Names of volumes that containers share; scratch space unless `volume_kinds` has them.
    pub volumes: Vec<String>,
    /// What those volumes are that are no scratch space.
    #[serde(default)]
    pub volume_kinds: BTreeMap<String, VolumeKind>,
    /// Containers see each other's processes, with `task`.
    #[serde(default)]
    pub pid_mode: Option<String>,
    /// Its tasks may make faults in their own networks.
    #[serde(default)]
    pub fault_injection: bool,
    /// GiB of scratch space.
    pub ephemeral_storage: Option<u32>,
    /// Operating system family and CPU architecture, as given.
    pub runtime_platform: Option<(Option<String>, Option<String>)>,
    /// Tags.
    pub tags: Vec<Tag>,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// Who registered it.
    pub registered_by: String,
    /// When it was deregistered.
    pub deregistered_at: Option<Timestamp>,
}

/// The life of a task definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DefinitionStatus {
    /// May be run.
    Active,
    /// Deregistered; running tasks keep it.
    Inactive,
    /// Goes away once no task uses it.
    DeleteInProgress,
}

/// The newest revision of a family, so that numbers are never used twice.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaskFamily {
    /// Owner.
    pub account: AccountId,
    /// Name.
    pub family: String,
    /// Last revision given.
    pub last_revision: u32,
}

/// A container of a task definition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ContainerDefinition {
    /// Name, unique in the task definition.
    pub name: String,
    /// Image reference.
    pub image: String,
    /// CPU units; zero takes what is left.
    pub cpu: u32,
    /// Hard limit in MiB.
    pub memory: Option<u32>,
    /// Soft limit in MiB.
    pub memory_reservation: Option<u32>,
    /// Whether the task ends with it.
    pub essential: bool,
    /// Arguments.
    pub command: Vec<String>,
    /// Program, instead of the image's.
    pub entry_point: Vec<String>,
    /// Variables.
    pub environment: Vec<(String, String)>,
    /// Working directory.
    pub working_directory: Option<String>,
    /// User and group.
    pub user: Option<String>,
    /// Ports.
    pub port_mappings: Vec<PortMapping>,
    /// Volumes.
    pub mount_points: Vec<MountPoint>,
    /// Volumes of other containers.
    pub volumes_from: Vec<VolumeFrom>,
    /// What must have happened before it starts.
    pub depends_on: Vec<Dependency>,
    /// Health check.
    pub health_check: Option<HealthCheck>,
    /// Seconds for its dependencies to be met.
    pub start_timeout: Option<u32>,
    /// Seconds between SIGTERM and SIGKILL.
    pub stop_timeout: Option<u32>,
    /// Root file system is read-only.
    pub readonly_root_filesystem: bool,
    /// Linux settings.
    pub linux_parameters: Option<LinuxParameters>,
    /// Resource limits.
    pub ulimits: Vec<Ulimit>,
    /// Where its output goes.
    pub log_configuration: Option<LogConfiguration>,
    /// Docker labels.
    pub docker_labels: BTreeMap<String, String>,
    /// Kernel settings of its network namespace.
    pub system_controls: Vec<(String, String)>,
    /// Variables whose values are secrets.
    #[serde(default)]
    pub secrets: Vec<SecretSource>,
    /// The secret with user and password for its image's registry.
    #[serde(default)]
    pub repository_credentials: Option<String>,
    /// Its input stays open.
    #[serde(default)]
    pub interactive: bool,
    /// It has a terminal.
    #[serde(default)]
    pub pseudo_terminal: bool,
    /// It routes the output of other containers.
    #[serde(default)]
    pub firelens: Option<Firelens>,
    /// When it runs again after its end.
    #[serde(default)]
    pub restart_policy: Option<RestartPolicy>,
    /// Whether all tasks of a deployment run the same image, as given.
    #[serde(default)]
    pub version_consistency: Option<VersionConsistency>,
}

/// Whether all tasks of a deployment run the image that a tag meant when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VersionConsistency {
    /// They do: the tag is resolved to a digest.
    Enabled,
    /// Each pulls what the tag means then.
    Disabled,
}

impl ContainerDefinition {
    /// Whether the tag of its image is resolved to a digest for all tasks of a deployment.
    pub fn is_pinned(&self) -> bool {
        self.version_consistency != Some(VersionConsistency::Disabled)
    }
}

/// When a container that has ended runs again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartPolicy {
    /// It may.
    pub enabled: bool,
    /// Exit codes with which it does not.
    pub ignored_exit_codes: Vec<i32>,
    /// Seconds that it must have run.
    pub attempt_period: Option<u32>,
}

/// How a container routes the output of others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firelens {
    /// `fluentd` or `fluentbit`.
    pub kind: String,
    /// Options, if there were some.
    pub options: Option<BTreeMap<String, String>>,
}

/// A variable whose value is a secret: where it comes from, never what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretSource {
    /// Name of the variable.
    pub name: String,
    /// ARN of a secret, with or without JSON key, stage and version; ARN or name of a parameter.
    pub value_from: String,
}

/// A port of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortMapping {
    /// Port in the task's network namespace; zero when there is a range.
    pub container_port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Name for service discovery.
    pub name: Option<String>,
    /// `http`, `http2` or `grpc`.
    #[serde(default)]
    pub app_protocol: Option<String>,
    /// Ports instead of one, as `FIRST-LAST`.
    #[serde(default)]
    pub container_port_range: Option<String>,
}

/// A volume in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountPoint {
    /// Name of the volume.
    pub source_volume: String,
    /// Where it appears.
    pub container_path: String,
    /// Cannot be written through this mount.
    pub read_only: bool,
}

/// All volumes of another container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeFrom {
    /// The other container.
    pub source_container: String,
    /// Cannot be written through these mounts.
    pub read_only: bool,
}

/// What must have happened to another container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// The other container.
    pub container: String,
    /// What.
    pub condition: DependencyCondition,
}

/// States of another container to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DependencyCondition {
    /// It has started.
    Start,
    /// It has ended.
    Complete,
    /// It has ended with code 0.
    Success,
    /// Its health check passes.
    Healthy,
}

/// A health check, with ECS's defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// `CMD` or `CMD-SHELL` and what follows.
    pub command: Vec<String>,
    /// Seconds between checks.
    pub interval: u32,
    /// Seconds a check may take.
    pub timeout: u32,
    /// Failures in a row that make it unhealthy.
    pub retries: u32,
    /// Seconds in which failures do not count.
    pub start_period: u32,
}

/// Linux settings of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinuxParameters {
    /// Capabilities on top of the default ones.
    pub add_capabilities: Vec<String>,
    /// Default capabilities to take away.
    pub drop_capabilities: Vec<String>,
    /// An init process reaps orphans and passes signals on.
    pub init_process: bool,
    /// Size of `/dev/shm` in MiB.
    pub shared_memory_size: Option<u32>,
    /// Memory file systems.
    pub tmpfs: Vec<Tmpfs>,
}

/// A memory file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tmpfs {
    /// Where it appears.
    pub container_path: String,
    /// Size in MiB.
    pub size: u32,
    /// Mount options.
    pub mount_options: Vec<String>,
}

/// A resource limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// Name without `RLIMIT_`, lower case.
    pub name: String,
    /// Soft limit.
    pub soft: i64,
    /// Hard limit.
    pub hard: i64,
}

/// A log driver and its options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogConfiguration {
    /// `awslogs`, `awsfirelens` or `splunk`.
    pub driver: String,
    /// Options.
    pub options: BTreeMap<String, String>,
    /// Options whose values are secrets.
    #[serde(default)]
    pub secret_options: Vec<SecretSource>,
}

impl Stored for TaskDefinition {
    const TABLE: &'static str = "ecs/task-definition";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.family, self.revision)
    }
}

impl Stored for TaskFamily {
    const TABLE: &'static str = "ecs/task-family";

    fn key(&self) -> String {
        format!("{}/{}", self.account, self.family)
    }
}

impl TaskDefinition {
    /// The key of a revision; numbers are padded so that keys sort as numbers do.
    pub fn key_of(account: &AccountId, family: &str, revision: u32) -> String {
        format!("{account}/{family}/{revision:010}")
    }
}
