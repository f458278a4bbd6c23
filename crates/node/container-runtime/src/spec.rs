//! What the agent asks for: sandboxes, containers, commands.

use crate::disks::Disk;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A sandbox: what all containers of a task share.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SandboxSpec {
    /// Letters, digits and hyphens.
    pub id: String,
    /// Name of the machine that the containers see.
    pub hostname: String,
    /// The network namespace, as a file.
    pub network_namespace: PathBuf,
    /// Content of `/etc/hosts`.
    pub hosts: String,
    /// Content of `/etc/resolv.conf`.
    pub resolv_conf: String,
    /// Limit in CPU units, 1024 for each core.
    pub cpu: Option<u32>,
    /// Limit in bytes.
    pub memory: Option<u64>,
    /// Most processes.
    pub pids: u32,
    /// Bounds what is written into root file systems and ordinary volumes; without it the host's disk is the bound.
    #[serde(default)]
    pub scratch: Option<Disk>,
    /// Volumes that containers may mount.
    #[serde(default)]
    pub volumes: Vec<Volume>,
    /// The containers see each other's processes.
    #[serde(default)]
    pub shared_processes: bool,
}

/// A volume of a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Letters, digits, `-` and `_`.
    pub name: String,
    /// What it is.
    pub source: VolumeSource,
}

/// What a volume is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VolumeSource {
    /// A directory that lives with the sandbox, within the bound of its scratch space.
    Scratch,
    /// A disk that lives with the sandbox.
    Disk(Disk),
    /// A directory of the host that outlives it.
    Directory {
        /// What is shared.
        share: PathBuf,
        /// The directory in it that is mounted; nothing outside the share is reached.
        root: String,
    },
}

/// A container, with everything its image says filled in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// Name in the sandbox: letters, digits, `-` and `_`.
    pub name: String,
    /// Directories of the root file system, lowest first.
    pub layers: Vec<PathBuf>,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// `NAME=value` pairs.
    pub env: Vec<String>,
    /// Directory to start in; made when it is missing.
    pub cwd: String,
    /// User and group, by name or number; root when absent.
    pub user: Option<String>,
    /// The root file system cannot be written.
    pub readonly_root: bool,
    /// An init process reaps orphans and passes signals on.
    pub init: bool,
    /// Capabilities on top of the default ones, without `CAP_`.
    pub cap_add: Vec<String>,
    /// Default capabilities to take away, or `ALL`.
    pub cap_drop: Vec<String>,
    /// Volumes and directories of the host.
    pub mounts: Vec<Mount>,
    /// Memory file systems.
    pub tmpfs: Vec<Tmpfs>,
    /// Bytes of `/dev/shm`; 64 MiB when absent.
    pub shm_size: Option<u64>,
    /// Resource limits.
    pub ulimits: Vec<Ulimit>,
    /// Hard limit in bytes.
    pub memory: Option<u64>,
    /// Soft limit in bytes.
    pub memory_reservation: Option<u64>,
    /// CPU shares; the kernel's least is 2.
    pub cpu_shares: u32,
    /// Kernel settings, each of the network namespace.
    pub sysctls: Vec<(String, String)>,
    /// Its input stays open, though nothing is ever written to it; otherwise it is empty.
    #[serde(default)]
    pub interactive: bool,
    /// It has a terminal, through which its output comes.
    #[serde(default)]
    pub terminal: bool,
    /// Keep the output for a [`crate::LogReader`]; otherwise it is thrown away.
    pub keep_output: bool,
    /// How often it ran before: a container that has ended may run again, with its files as it left them.
    #[serde(default)]
    pub run: u32,
}

/// A directory in a container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mount {
    /// What is mounted.
    pub source: MountSource,
    /// Path in the container.
    pub target: String,
    /// Cannot be written through this mount.
    pub read_only: bool,
}

/// What is mounted into a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountSource {
    /// A volume of the sandbox, by its name.
    Volume(String),
    /// A file or directory of the host.
    Host(PathBuf),
}

/// A memory file system in a container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tmpfs {
    /// Path in the container.
    pub target: String,
    /// Mount options such as `size=64m`.
    pub options: Vec<String>,
}

/// A resource limit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ulimit {
    /// Name without `RLIMIT_`, lower case.
    pub name: String,
    /// Soft limit; -1 is unlimited.
    pub soft: i64,
    /// Hard limit; -1 is unlimited.
    pub hard: i64,
}

/// A command to run in a container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExecSpec {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Milliseconds after which it is killed.
    pub timeout_ms: u64,
}

/// A command that somebody talks to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AttachSpec {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// `NAME=value` pairs for variables that the container does not have.
    pub env: Vec<String>,
    /// It has a terminal; otherwise pipes, with errors apart.
    pub terminal: bool,
}
