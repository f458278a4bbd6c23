//! What the agent asks for: sandboxes, containers, commands.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A sandbox: what all containers of a task share.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    /// Directories of the host.
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
    /// Keep the output for a [`crate::LogReader`]; otherwise it is thrown away.
    pub keep_output: bool,
}

/// A directory of the host in a container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mount {
    /// Directory of the host.
    pub source: PathBuf,
    /// Path in the container.
    pub target: String,
    /// Cannot be written through this mount.
    pub read_only: bool,
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
