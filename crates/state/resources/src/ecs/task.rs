//! Tasks: what is wanted of them and what was last seen.

use super::{Lack, ManagedVolume, Size, Tag, TaskConnect, TaskEvent, TaskStatus, next};
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A task. Users and services write what is wanted; agent reports and the task controller write what is seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// Owner.
    pub account: AccountId,
    /// Name of its cluster.
    pub cluster: String,
    /// 32 hexadecimal digits.
    pub id: String,
    /// Family of its task definition.
    pub family: String,
    /// Revision of its task definition.
    pub revision: u32,
    /// Wanted.
    pub desired_status: DesiredStatus,
    /// Last seen.
    pub last_status: TaskStatus,
    /// Its containers, in the order of the task definition.
    pub containers: Vec<TaskContainer>,
    /// What RunTask changed of the task definition.
    pub overrides: TaskOverride,
    /// CPU units, after overrides.
    pub cpu: u32,
    /// MiB, after overrides.
    pub memory: u32,
    /// GiB of scratch space.
    pub ephemeral_storage: u32,
    /// Volumes that were made for it.
    #[serde(default)]
    pub volumes: Vec<ManagedVolume>,
    /// Subnets it may run in, as asked for.
    pub subnets: Vec<String>,
    /// Security groups, as asked for.
    pub security_groups: Vec<String>,
    /// Its network interface, once placed.
    pub network_interface: Option<NetworkInterface>,
    /// Host it was placed on: key of a container instance.
    pub container_instance: Option<String>,
    /// What every host has too little of for it, while it waits for one.
    #[serde(default)]
    pub lack: Option<Lack>,
    /// Names the credentials of its role at the endpoint of its containers; nobody can guess it.
    #[serde(default)]
    pub credentials_id: String,
    /// Group, `family:NAME` unless told otherwise.
    pub group: String,
    /// Who started it, as told.
    pub started_by: Option<String>,
    /// Name of the service that it belongs to.
    #[serde(default)]
    pub service: Option<String>,
    /// Capacity provider that it was started through.
    #[serde(default)]
    pub capacity_provider: Option<String>,
    /// Neither scaling in nor a deployment stops it before.
    #[serde(default)]
    pub protected_until: Option<Timestamp>,
    /// Keys of the targets of load balancers that it is registered as. While there are any, a task that is to stop drains,
    /// and its containers are not told.
    #[serde(default)]
    pub targets: Vec<String>,
    /// Services of Cloud Map that it is an instance of while it runs.
    #[serde(default)]
    pub registries: Vec<TaskRegistry>,
    /// What its Service Connect proxy does, if it has one.
    #[serde(default)]
    pub connect: Option<TaskConnect>,
    /// Commands may be run in its containers.
    #[serde(default)]
    pub execute_command: bool,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Grows with every change that AWS would announce.
    pub version: u64,
    /// When RunTask accepted it.
    pub created_at: Timestamp,
    /// When the agent took it on.
    pub connectivity_at: Option<Timestamp>,
    /// When pulling began.
    pub pull_started_at: Option<Timestamp>,
    /// When pulling ended.
    pub pull_stopped_at: Option<Timestamp>,
    /// When it was first seen running.
    pub started_at: Option<Timestamp>,
    /// When stopping began.
    pub stopping_at: Option<Timestamp>,
    /// When its containers had ended.
    pub execution_stopped_at: Option<Timestamp>,
    /// When it was over.
    pub stopped_at: Option<Timestamp>,
    /// Why it stopped, as a code.
    pub stop_code: Option<StopCode>,
    /// Why it stopped, as a text.
    pub stopped_reason: Option<String>,
}

/// A service of Cloud Map that a task is an instance of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRegistry {
    /// Id of the service of Cloud Map.
    pub service: String,
    /// The port that is registered with its address.
    pub port: Option<u16>,
}

/// What is wanted of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DesiredStatus {
    /// It shall run.
    Running,
    /// It shall stop.
    Stopped,
}

/// Why a task stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopCode {
    /// It never came to run.
    TaskFailedToStart,
    /// An essential container ended.
    EssentialContainerExited,
    /// StopTask.
    UserInitiated,
    /// Its service did not want it any more.
    ServiceSchedulerInitiated,
    /// Its spare capacity was taken back.
    SpotInterruption,
}

/// A container of a task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaskContainer {
    /// Name in the task definition.
    pub name: String,
    /// Last part of its ARN.
    pub id: String,
    /// Image as asked for.
    pub image: String,
    /// `PENDING`, `RUNNING` or `STOPPED`.
    pub last_status: String,
    /// Digest of the image that was pulled.
    pub image_digest: Option<String>,
    /// Digest of the image that is to be pulled, whatever its tag says by then.
    #[serde(default)]
    pub pinned_digest: Option<String>,
    /// Id the runtime gave it.
    pub runtime_id: Option<String>,
    /// Exit code, once ended.
    pub exit_code: Option<i32>,
    /// Why it ended, where there is more to say than the code.
    pub reason: Option<String>,
    /// Health, when the task definition has a check.
    pub health: HealthStatus,
    /// Whether the task ends with it.
    pub essential: bool,
    /// CPU units, after overrides; zero when not limited.
    pub cpu: u32,
    /// Hard limit in MiB, after overrides.
    pub memory: Option<u32>,
    /// Soft limit in MiB, after overrides.
    pub memory_reservation: Option<u32>,
    /// What runs commands in it, of a task that allows them.
    #[serde(default)]
    pub exec_agent: Option<ExecAgent>,
}

/// The managed agent of a container that runs commands in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecAgent {
    /// `PENDING`, `RUNNING` or `STOPPED`.
    pub last_status: String,
    /// Why, where there is something to say.
    pub reason: Option<String>,
    /// When it was last seen starting.
    pub last_started_at: Option<Timestamp>,
    /// Its control channel is open.
    pub connected: bool,
}

impl Default for ExecAgent {
    fn default() -> Self {
        Self { last_status: "PENDING".to_owned(), reason: None, last_started_at: None, connected: false }
    }
}

/// Health of a container, and of a task from its essential containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HealthStatus {
    /// The check passes.
    Healthy,
    /// The check fails.
    Unhealthy,
    /// There is no check, or it has not answered yet.
    Unknown,
}

/// The elastic network interface of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkInterface {
    /// `eni-` and 17 hexadecimal digits.
    pub id: String,
    /// UUID of the attachment.
    pub attachment_id: String,
    /// Hardware address.
    pub mac: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Gateway of its subnet.
    pub gateway: Ipv4Addr,
    /// Bits of its subnet's mask.
    pub prefix: u8,
    /// Who resolves names for it; the gateway, where there is none.
    #[serde(default)]
    pub name_server: Option<Ipv4Addr>,
    /// Its subnet.
    pub subnet_id: String,
    /// Letter of the zone of its subnet.
    #[serde(default = "first_zone")]
    pub zone: String,
}

/// The zone of interfaces of earlier versions, which knew one only.
fn first_zone() -> String {
    "a".to_owned()
}

/// What RunTask changes of a task definition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskOverride {
    /// By container.
    pub containers: Vec<ContainerOverride>,
    /// CPU units as text.
    pub cpu: Option<String>,
    /// MiB as text.
    pub memory: Option<String>,
    /// Role of the containers.
    pub task_role_arn: Option<String>,
    /// Role of the agent for this task.
    pub execution_role_arn: Option<String>,
    /// GiB of scratch space.
    pub ephemeral_storage: Option<u32>,
}

/// What RunTask changes of one container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerOverride {
    /// Which one.
    pub name: String,
    /// Command instead of the definition's.
    pub command: Option<Vec<String>>,
    /// Variables added to or replacing the definition's.
    pub environment: Vec<(String, String)>,
    /// CPU units.
    pub cpu: Option<u32>,
    /// Hard limit in MiB.
    pub memory: Option<u32>,
    /// Soft limit in MiB.
    pub memory_reservation: Option<u32>,
}

/// A RunTask with a client token, so that repeating it starts nothing anew.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunToken {
    /// Owner.
    pub account: AccountId,
    /// Cluster of the request.
    pub cluster: String,
    /// The client's token.
    pub token: String,
    /// Hash of the request's other parameters.
    pub parameters: String,
    /// Ids of the tasks that were started.
    pub tasks: Vec<String>,
    /// Why others were not, one for each.
    #[serde(default)]
    pub lacks: Vec<Lack>,
    /// When it was used.
    pub created_at: Timestamp,
}

impl Stored for Task {
    const TABLE: &'static str = "ecs/task";

    fn key(&self) -> String {
        format!("{}/{}/{}", self.account, self.cluster, self.id)
    }
}

impl Stored for RunToken {
    const TABLE: &'static str = "ecs/run-token";

    fn key(&self) -> String {
        format!("{}/{}/{}", self.account, self.cluster, self.token)
    }
}

impl Task {
    /// Moves the task by an event and notes the times that belong to it. True when the status changed.
    pub fn advance(&mut self, event: TaskEvent, now: Timestamp) -> bool {
        let status = next(self.last_status, event);
        if status == self.last_status {
            return false;
        }
        self.last_status = status;
        self.version += 1;
        match status {
            TaskStatus::Running => self.started_at = self.started_at.or(Some(now)),
            TaskStatus::Deactivating | TaskStatus::Stopping => {
                self.stopping_at = self.stopping_at.or(Some(now));
            }
            TaskStatus::Deprovisioning => {
                self.stopping_at = self.stopping_at.or(Some(now));
                self.desired_status = DesiredStatus::Stopped;
            }
            TaskStatus::Stopped => self.stopped_at = Some(now),
            TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Activating => {}
        }
        true
    }

    /// What it reserves of its host.
    pub fn size(&self) -> Size {
        Size { cpu: self.cpu.into(), memory: self.memory.into() }
    }

    /// Whether it takes room on a host or will: it is to run and has none yet.
    pub fn waits_for_host(&self) -> bool {
        self.last_status == TaskStatus::Provisioning && self.desired_status == DesiredStatus::Running
    }

    /// Wants the task stopped, for the first reason given.
    pub fn want_stop(&mut self, code: StopCode, reason: impl Into<String>, now: Timestamp) {
        self.desired_status = DesiredStatus::Stopped;
        if self.stop_code.is_none() {
            self.stop_code = Some(code);
            self.stopped_reason = Some(reason.into());
        }
        self.advance(TaskEvent::StopWanted, now);
    }

    /// Whether it is to stop as soon as load balancers have let go of it.
    pub fn is_draining(&self) -> bool {
        self.last_status == TaskStatus::Deactivating && !self.targets.is_empty()
    }

    /// Health of the task: unhealthy with one essential container, healthy with all that have a check.
    pub fn health(&self) -> HealthStatus {
        let mut checks = self.containers.iter().filter(|c| c.essential).map(|c| c.health).peekable();
        let mut all_healthy = checks.peek().is_some();
        for health in checks {
            match health {
                HealthStatus::Unhealthy => return HealthStatus::Unhealthy,
                HealthStatus::Unknown => all_healthy = false,
                HealthStatus::Healthy => {}
            }
        }
        if all_healthy { HealthStatus::Healthy } else { HealthStatus::Unknown }
    }
}

impl TaskContainer {
    /// The image as its host is to pull it: by its digest, where that is settled.
    pub fn image_to_pull(&self) -> String {
        let Some(digest) = &self.pinned_digest else { return self.image.clone() };
        if self.image.contains('@') {
            return self.image.clone();
        }
        // A colon after the last slash begins a tag; one before it belongs to the port of the registry.
        let name = self.image.rfind('/').map_or(0, |slash| slash + 1);
        let end = self.image[name..].find(':').map_or(self.image.len(), |colon| name + colon);
        format!("{}@{digest}", &self.image[..end])
    }
}

impl StopCode {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TaskFailedToStart => "TaskFailedToStart",
            Self::EssentialContainerExited => "EssentialContainerExited",
            Self::UserInitiated => "UserInitiated",
            Self::ServiceSchedulerInitiated => "ServiceSchedulerInitiated",
            Self::SpotInterruption => "SpotInterruption",
        }
    }
}

impl DesiredStatus {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_pulled_by_their_digests() {
        let of = |image: &str, digest: Option<&str>| {
            let container = TaskContainer {
                exec_agent: None,
                name: String::new(),
                id: String::new(),
                image: image.to_owned(),
                last_status: String::new(),
                image_digest: None,
                pinned_digest: digest.map(str::to_owned),
                runtime_id: None,
                exit_code: None,
                reason: None,
                health: HealthStatus::Unknown,
                essential: true,
                cpu: 0,
                memory: None,
                memory_reservation: None,
            };
            container.image_to_pull()
        };
        for (image, pulled) in [
            ("busybox", "busybox@sha256:1"),
            ("localhost:4566/a/web:1", "localhost:4566/a/web@sha256:1"),
            ("localhost:4566/web", "localhost:4566/web@sha256:1"),
            ("web@sha256:2", "web@sha256:2"),
        ] {
            assert_eq!(of(image, Some("sha256:1")), pulled);
            assert_eq!(of(image, None), image);
        }
    }
}
