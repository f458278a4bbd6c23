//! What the agent asks of the machine: images, a network, sandboxes and their containers.
//!
//! The agent's logic knows only this trait. [`crate::ContainerEngine`] carries it out on this machine;
//! [`SimulatedEngine`] only remembers, so that the agent is tested without root. Every call may be repeated after
//! a restart of the agent and then finds what is there already.

mod simulated;
pub mod stats;

pub use simulated::{SimulatedEngine, SimulatedFault};

use crate::logs::AwsLogs;
use container_image::{BasicAuth, ImageConfig};
use container_network::faults::{Fault, FaultName};
use environment::Timestamp;
use serde::{Deserialize, Serialize};
use stats::Stats;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

/// What a machine could not do, as the reason that ECS shows: `CannotStartContainerError: …`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EngineError(pub String);

/// A pulled image.
#[derive(Clone, Debug, Default)]
pub struct PulledImage {
    /// What the reference resolved to.
    pub digest: String,
    /// How its author wants it to run.
    pub config: ImageConfig,
}

/// The sandbox of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct SandboxPlan {
    /// Id of the task.
    pub id: String,
    /// Name of the machine that the containers see.
    pub hostname: String,
    /// Address of the task.
    pub address: Ipv4Addr,
    /// Gateway of its subnet, and bits of the subnet's mask.
    pub gateway: Option<(Ipv4Addr, u8)>,
    /// Hardware address of its interface.
    pub mac: Option<String>,
    /// Domains that names are searched in.
    pub search: Vec<String>,
    /// Limit in CPU units, 1024 for each core.
    pub cpu: Option<u32>,
    /// Limit in MiB.
    pub memory: Option<u32>,
    /// GiB that its containers may write.
    pub storage: Option<u32>,
    /// Volumes that its containers may mount.
    pub volumes: Vec<VolumePlan>,
    /// Its containers see each other's processes.
    pub shared_processes: bool,
    /// A proxy lives in its network, and does what it is told before any container starts.
    pub proxy: Option<ProxyPlan>,
}

/// Stands for the Service Connect proxy of a sandbox where output is asked for; no container has such a name.
pub const PROXY: &str = ".service-connect";

/// The Service Connect proxy of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyPlan {
    /// Where it goes what it tells, if anywhere.
    pub logs: Option<AwsLogs>,
    /// Names that its containers know, and the addresses inside of the task that these stand for.
    pub names: Vec<(String, String)>,
}

/// A volume of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumePlan {
    /// Name in the task.
    pub name: String,
    /// What it is.
    pub kind: VolumeKind,
}

/// What a volume is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeKind {
    /// A directory that lives as long as the task and counts to its storage.
    Scratch,
    /// A block device of its own with a file system, as EBS has it; lives as long as the task.
    Block {
        /// Size in GiB.
        gib: u32,
        /// `ext3`, `ext4` or `xfs`.
        file_system: String,
    },
    /// A shared file system, as EFS has it.
    Shared {
        /// `fs-` and its number, or the number of an access point, `fsap-`.
        id: String,
        /// The directory in it.
        root: String,
    },
}

/// What a mount shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountOrigin {
    /// A volume of the task, by name.
    Volume(String),
    /// A file of the host.
    Host(PathBuf),
}

/// Room on the disk that tasks write to, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskRoom {
    /// Still there.
    pub available: u64,
    /// In all.
    pub total: u64,
}

impl Default for DiskRoom {
    fn default() -> Self {
        Self { available: u64::MAX, total: u64::MAX }
    }
}

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountPlan {
    /// What it shows.
    pub source: MountOrigin,
    /// Path in the container.
    pub target: String,
    /// Cannot be written through this mount.
    pub read_only: bool,
}

/// A memory file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TmpfsPlan {
    /// Path in the container.
    pub target: String,
    /// Mount options, `size=` among them.
    pub options: Vec<String>,
}

/// A resource limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UlimitPlan {
    /// Name without `RLIMIT_`, lower case.
    pub name: String,
    /// Soft limit.
    pub soft: i64,
    /// Hard limit.
    pub hard: i64,
}

/// A container, with everything its image says filled in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerPlan {
    /// Name in the task.
    pub name: String,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// `NAME=value` pairs.
    pub env: Vec<String>,
    /// Directory to start in.
    pub cwd: String,
    /// User and group, by name or number; root when absent.
    pub user: Option<String>,
    /// The root file system cannot be written.
    pub readonly_root: bool,
    /// An init process reaps orphans.
    pub init: bool,
    /// Capabilities on top of the default ones.
    pub cap_add: Vec<String>,
    /// Default capabilities to take away.
    pub cap_drop: Vec<String>,
    /// Volumes.
    pub mounts: Vec<MountPlan>,
    /// Memory file systems.
    pub tmpfs: Vec<TmpfsPlan>,
    /// Bytes of `/dev/shm`.
    pub shm_size: Option<u64>,
    /// Resource limits.
    pub ulimits: Vec<UlimitPlan>,
    /// Hard limit in bytes.
    pub memory: Option<u64>,
    /// Soft limit in bytes.
    pub memory_reservation: Option<u64>,
    /// CPU shares; zero takes the least.
    pub cpu_shares: u32,
    /// Kernel settings.
    pub sysctls: Vec<(String, String)>,
    /// Its input stays open.
    pub interactive: bool,
    /// It has a terminal.
    pub terminal: bool,
    /// Its output will be read.
    pub keep_output: bool,
    /// How often it ran before.
    pub run: u32,
}

/// What a sandbox tells on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SandboxEvent {
    /// A container has ended.
    Exited {
        /// Its name.
        container: String,
        /// How.
        exit: Exit,
    },
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Exit code, 128 and the signal's number when it was killed; `None` when nobody saw it.
    pub code: Option<i32>,
    /// The kernel killed it for its use of memory.
    pub out_of_memory: bool,
    /// When.
    pub at: Timestamp,
}

/// What is left of a container after a restart of the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It runs.
    Running,
    /// It ended while nobody watched, or before.
    Ended(Exit),
    /// It was never started.
    Nothing,
}

/// A command to run in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Time after which it is killed and has failed.
    pub timeout: Duration,
}

/// A command that somebody talks to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachPlan {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// `NAME=value` pairs for variables that the container does not have.
    pub env: Vec<String>,
    /// It has a terminal; otherwise its errors are apart.
    pub terminal: bool,
}

/// A command that runs, with its streams.
pub struct Attached {
    /// What it reads. Dropping it ends the input, but of a terminal.
    pub input: Box<dyn AsyncWrite + Send + Unpin>,
    /// What it says.
    pub output: Box<dyn AsyncRead + Send + Unpin>,
    /// What it says of errors, where it has no terminal.
    pub error: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// The command itself. Dropping it kills the command.
    pub control: Box<dyn AttachedControl>,
}

/// A command that runs.
#[async_trait::async_trait]
pub trait AttachedControl: Send + Sync {
    /// Sets the size of its terminal: columns and rows.
    fn resize(&self, columns: u16, rows: u16) -> Result<(), EngineError>;

    /// Waits for its end; answers the exit code. Safe to cancel.
    async fn ended(&mut self) -> Result<Option<i32>, EngineError>;
}

/// The end of a [`Probe`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeEnd {
    /// Exit code; `None` when it was killed at its timeout.
    pub code: Option<i32>,
    /// The beginning of what it printed.
    pub output: String,
}

/// Use of a container's resources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time since its start.
    pub cpu_nanos: u64,
    /// Bytes of memory now.
    pub memory_bytes: u64,
}

/// Where a log was read to. Opaque to the agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogPosition(pub serde_json::Value);

/// A piece of a container's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// When it was written.
    pub at: Timestamp,
    /// The bytes, without the line's end.
    pub bytes: Vec<u8>,
    /// The line goes on in the next record of the same stream.
    pub partial: bool,
    /// It came from standard error.
    pub stderr: bool,
    /// Where to read on after it.
    pub next: LogPosition,
}

/// What reading a log gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogRead {
    /// Some records, in order.
    Records(Vec<LogRecord>),
    /// The container has ended and everything was read.
    End,
}

/// A container's output from a position on.
#[async_trait::async_trait]
pub trait LogSource: Send {
    /// Waits for output; at most `most` records. Safe to cancel: what was not returned comes again.
    async fn read(&mut self, most: usize) -> Result<LogRead, EngineError>;

    /// Lets go of what lies before a position, for it will never be read again.
    fn release(&mut self, before: &LogPosition);
}

/// A machine that runs containers. Sandboxes are named by the id of their task.
#[async_trait::async_trait]
pub trait Engine: Send + Sync + 'static {
    /// Makes an image present and keeps it for `holder`. The error's text is what the registry or disk said.
    async fn pull(
        &self,
        image: &str,
        auth: Option<BasicAuth>,
        holder: &str,
    ) -> Result<PulledImage, EngineError>;

    /// Ends what `holder` keeps.
    async fn release(&self, holder: &str);

    /// Makes the network and the sandbox of a task; `events` receives what happens in it.
    async fn create_sandbox(
        &self,
        plan: &SandboxPlan,
        events: mpsc::Sender<SandboxEvent>,
    ) -> Result<(), EngineError>;

    /// Takes over a sandbox of an earlier run of the agent; false when there is none any more.
    async fn adopt(&self, sandbox: &str, events: mpsc::Sender<SandboxEvent>) -> Result<bool, EngineError>;

    /// Opens the address at which a sandbox, and nobody else, reaches the agent. Dropping the listener closes it.
    async fn endpoint(&self, sandbox: &str, address: Ipv4Addr) -> Result<TcpListener, EngineError>;

    /// Starts a fault in the network of a sandbox; nothing happens when one of its name runs.
    async fn start_fault(&self, sandbox: &str, fault: Fault) -> Result<(), EngineError>;

    /// Ends a fault in the network of a sandbox; nothing happens when none of its name runs.
    async fn stop_fault(&self, sandbox: &str, name: FaultName) -> Result<(), EngineError>;

    /// Whether a fault runs in the network of a sandbox.
    async fn has_fault(&self, sandbox: &str, name: FaultName) -> Result<bool, EngineError>;

    /// What became of a container of an adopted sandbox.
    async fn find(&self, sandbox: &str, container: &str) -> Result<Found, EngineError>;

    /// Makes and starts a container from the image that `holder` keeps; answers the runtime's id.
    async fn start(&self, sandbox: &str, plan: &ContainerPlan, holder: &str) -> Result<String, EngineError>;

    /// Sends a signal, by name or number; nothing happens when the container has ended.
    async fn signal(&self, sandbox: &str, container: &str, signal: &str) -> Result<(), EngineError>;

    /// Runs a command in a container.
    async fn probe(&self, sandbox: &str, container: &str, probe: &Probe) -> Result<ProbeEnd, EngineError>;

    /// Runs a command in a container and hands its streams over.
    async fn attach(
        &self,
        sandbox: &str,
        container: &str,
        plan: &AttachPlan,
    ) -> Result<Attached, EngineError>;

    /// Use of resources now.
    async fn usage(&self, sandbox: &str, container: &str) -> Result<Usage, EngineError>;

    /// Everything that is measured of a running container.
    async fn stats(&self, sandbox: &str, container: &str) -> Result<Stats, EngineError>;

    /// Room on the disk that sandboxes write to.
    async fn disk_room(&self) -> Result<DiskRoom, EngineError>;

    /// Bytes that a sandbox has written and that take room on that disk.
    async fn disk_written(&self, sandbox: &str) -> Result<u64, EngineError>;

    /// Whether what a sandbox writes is bounded by itself; otherwise the agent has to look.
    fn bounds_disk(&self) -> bool;

    /// Connects to a Unix socket inside a running container; no link leads out of its file system.
    async fn connect(&self, sandbox: &str, container: &str, path: &str) -> Result<UnixStream, EngineError>;

    /// Opens the output of one run of a container, counted from 0.
    async fn logs(
        &self,
        sandbox: &str,
        container: &str,
        run: u32,
        from: Option<LogPosition>,
    ) -> Result<Box<dyn LogSource>, EngineError>;

    /// Ends the proxy of a sandbox, if it has one; what it has told can still be read.
    async fn end_proxy(&self, sandbox: &str);

    /// Kills what is left in a sandbox, removes it and its network; nothing happens when there is none.
    async fn remove_sandbox(&self, sandbox: &str) -> Result<(), EngineError>;

    /// Every sandbox or network, whole or not, to find those that no task owns.
    async fn list(&self) -> Result<Vec<String>, EngineError>;

    /// Everyone who keeps an image, to find those that are gone.
    fn holders(&self) -> Vec<String>;
}
