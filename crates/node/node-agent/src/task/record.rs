//! What the agent remembers of a task, in memory and on disk.

use crate::engine::Exit;
use crate::task::health::HealthRecord;
use environment::Timestamp;
use serde::{Deserialize, Serialize};

/// A task's state. `advance` alone changes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// Wanted; moves only from running to stopped.
    pub stopping: bool,
    /// Why it stops, if the agent knows better than the server.
    pub reason: Option<String>,
    /// The sandbox.
    pub sandbox: SandboxLife,
    /// In the order of the payload.
    pub containers: Vec<ContainerRecord>,
    /// When pulling began.
    pub pull_started_at: Option<Timestamp>,
    /// When pulling ended.
    pub pull_stopped_at: Option<Timestamp>,
    /// When the last container had ended.
    pub execution_stopped_at: Option<Timestamp>,
    /// Reports that the server has not accepted yet, oldest first.
    pub unreported: Vec<Report>,
    /// The last report that was put in line.
    pub last_report: Option<Report>,
}

/// The life of a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SandboxLife {
    /// Not made yet.
    Wanted,
    /// Being made; after a restart of the agent, wanted again.
    Making,
    /// Containers can be started.
    Ready,
    /// Could not be made.
    Failed,
    /// Output is being sent and what is left removed; after a restart of the agent, once more.
    Removing,
    /// Nothing is left on the machine.
    Removed,
}

/// A container's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerRecord {
    /// Name in the task.
    pub name: String,
    /// The image.
    pub image: ImageLife,
    /// What the image's reference resolved to.
    pub image_digest: Option<String>,
    /// The image's signal for stopping.
    pub stop_signal: Option<String>,
    /// The container itself.
    pub life: Life,
    /// Id the runtime gave it.
    pub runtime_id: Option<String>,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// How it ended.
    pub exit: Option<Exit>,
    /// Why it ended or never ran.
    pub reason: Option<String>,
    /// When it was asked to stop.
    pub stop_sent_at: Option<Timestamp>,
    /// The signal is known to have reached it.
    #[serde(default)]
    pub signalled: bool,
    /// It was killed after its stop timeout.
    pub killed: bool,
    /// Its health, when it has a check.
    pub health: Option<HealthRecord>,
    /// It has ended, and its output has gone where it shall.
    #[serde(default)]
    pub drained: bool,
    /// How often it was started again.
    #[serde(default)]
    pub restarts: u32,
    /// When it was started last.
    #[serde(default)]
    pub run_started_at: Option<Timestamp>,
    /// When the run before ended.
    #[serde(default)]
    pub last_exit_at: Option<Timestamp>,
    /// What runs commands in it, as the server should know it.
    #[serde(default)]
    pub exec_agent: Option<ExecAgentState>,
}

/// What runs commands in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecAgentState {
    /// Where it is.
    pub status: Status,
    /// Why, where there is something to say.
    pub reason: Option<String>,
}

/// The life of an image for one container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageLife {
    /// Not asked for yet.
    Wanted,
    /// Being pulled.
    Pulling,
    /// Here.
    Present,
    /// Could not be pulled.
    Failed,
}

/// The life of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Life {
    /// Waits for its image, the sandbox or other containers.
    Waiting,
    /// Being started.
    Starting,
    /// Runs.
    Running,
    /// Has ended, or will never run.
    Ended,
}

/// Status of a task or container as the agent reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Status {
    /// Not running yet.
    Pending,
    /// Running.
    Running,
    /// Ended.
    Stopped,
}

/// What is told the server about a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Status of the task.
    pub status: Status,
    /// Why the task stopped.
    pub reason: Option<String>,
    /// Containers that are past pending.
    pub containers: Vec<ContainerReport>,
    /// When pulling began.
    pub pull_started_at: Option<Timestamp>,
    /// When pulling ended.
    pub pull_stopped_at: Option<Timestamp>,
    /// When the last container had ended.
    pub execution_stopped_at: Option<Timestamp>,
    /// What runs commands, by container.
    #[serde(default)]
    pub exec_agents: Vec<(String, ExecAgentState)>,
}

/// What is told the server about a container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerReport {
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: Status,
    /// What its image's reference resolved to.
    pub image_digest: Option<String>,
    /// Id the runtime gave it.
    pub runtime_id: Option<String>,
    /// Exit code.
    pub exit_code: Option<i32>,
    /// Why it ended.
    pub reason: Option<String>,
}

impl TaskRecord {
    /// A task of which nothing has happened yet.
    pub fn new<'a>(containers: impl Iterator<Item = (&'a str, bool)>) -> Self {
        let containers = containers.map(|(name, checked)| ContainerRecord {
            name: name.to_owned(),
            image: ImageLife::Wanted,
            image_digest: None,
            stop_signal: None,
            life: Life::Waiting,
            runtime_id: None,
            started_at: None,
            exit: None,
            reason: None,
            stop_sent_at: None,
            signalled: false,
            killed: false,
            drained: false,
            health: checked.then(HealthRecord::default),
            restarts: 0,
            run_started_at: None,
            last_exit_at: None,
            exec_agent: None,
        });
        Self {
            stopping: false,
            reason: None,
            sandbox: SandboxLife::Wanted,
            containers: containers.collect(),
            pull_started_at: None,
            pull_stopped_at: None,
            execution_stopped_at: None,
            unreported: Vec::new(),
            last_report: None,
        }
    }

    /// Every container has ended or will never run.
    pub fn all_ended(&self) -> bool {
        self.containers.iter().all(|container| container.life == Life::Ended)
    }

    /// Nothing is left to do: the machine is clean and the server knows.
    pub fn is_over(&self) -> bool {
        self.sandbox == SandboxLife::Removed && self.unreported.is_empty()
    }

    /// The task as a whole.
    pub fn status(&self) -> Status {
        if self.sandbox == SandboxLife::Removed {
            Status::Stopped
        } else if self.containers.iter().all(|container| container.started_at.is_some()) {
            // Also when it is being stopped already: however short its life, the server learns that it ran.
            Status::Running
        } else {
            // A task that ran and is being stopped keeps its status until all is over.
            self.last_report.as_ref().map_or(Status::Pending, |report| report.status)
        }
    }

    /// What the server should know now.
    pub fn report(&self) -> Report {
        let containers = self.containers.iter().filter(|container| container.past_pending());
        Report {
            status: self.status(),
            reason: self.reason.clone(),
            containers: containers.map(ContainerRecord::report).collect(),
            pull_started_at: self.pull_started_at,
            pull_stopped_at: self.pull_stopped_at,
            execution_stopped_at: self.execution_stopped_at,
            exec_agents: self.containers.iter().filter_map(ContainerRecord::exec_agent).collect(),
        }
    }
}

impl ContainerRecord {
    fn past_pending(&self) -> bool {
        matches!(self.life, Life::Running | Life::Ended) || self.restarts > 0
    }

    /// It ends with the container.
    fn exec_agent(&self) -> Option<(String, ExecAgentState)> {
        let mut agent = self.exec_agent.clone()?;
        if self.life == Life::Ended {
            agent.status = Status::Stopped;
        }
        Some((self.name.clone(), agent))
    }

    fn report(&self) -> ContainerReport {
        ContainerReport {
            name: self.name.clone(),
            status: match self.life {
                // It is only away for a moment.
                Life::Waiting | Life::Starting if self.restarts > 0 => Status::Running,
                Life::Waiting | Life::Starting => Status::Pending,
                Life::Running => Status::Running,
                Life::Ended => Status::Stopped,
            },
            image_digest: self.image_digest.clone(),
            runtime_id: self.runtime_id.clone(),
            exit_code: self.exit.as_ref().and_then(|exit| exit.code),
            reason: self.reason.clone(),
        }
    }
}

impl Status {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
        }
    }
}
