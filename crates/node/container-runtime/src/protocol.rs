//! What agent and shim say to each other: one JSON document a line, over a Unix socket.

use crate::spec::{AttachSpec, ContainerSpec, ExecSpec};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Longest line either side takes.
pub(crate) const MOST_LINE_BYTES: usize = 4 * 1024 * 1024;

/// A question to the shim. Each has one answer, but for `Watch`, whose answers go on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Is anybody there?
    Ping,
    /// Make and start a container.
    Start(Box<ContainerSpec>),
    /// Send a signal to a container's first process.
    Signal { container: String, signal: i32 },
    /// Run a command; answered when it has ended.
    Exec { container: String, exec: ExecSpec },
    /// Run a command that the asker talks to. The answer brings its streams as open files; another follows when it has
    /// ended. It is killed when the connection ends before.
    Attach { container: String, attach: AttachSpec },
    /// Use of resources now.
    Usage { container: String },
    /// The state now, and again after every change.
    Watch,
    /// Kill everything, undo everything, and end.
    Remove,
}

/// An answer of the shim.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// Done.
    Done,
    /// Started, with this id.
    Started(String),
    /// The command runs. With the answer come its terminal, or its input, output and error output.
    Attached,
    /// The command has ended.
    Executed(ExecResult),
    /// Use of resources.
    Usage(Usage),
    /// The state of all containers.
    State(State),
    /// Not done, and why.
    Failed(String),
}

/// What the shim knows of its containers; also what it keeps on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) containers: BTreeMap<String, ContainerState>,
}

/// What is known of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerState {
    /// Id of the container, 64 hexadecimal digits.
    pub id: String,
    /// Where it is in its life.
    pub phase: Phase,
}

/// The life of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// It runs.
    Running {
        /// Its first process, as the host numbers it.
        pid: i32,
    },
    /// It has ended.
    Exited {
        /// Exit code, 128 and the signal's number when it was killed; `None` when nobody saw it.
        code: Option<i32>,
        /// The kernel killed it for its use of memory.
        out_of_memory: bool,
        /// Milliseconds since the epoch.
        at_ms: i64,
    },
}

/// The end of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecResult {
    /// Exit code; `None` when it was killed at its timeout.
    pub code: Option<i32>,
    /// The beginning of what it printed.
    pub output: String,
}

/// Use of resources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time since its start.
    pub cpu_nanos: u64,
    /// Bytes of memory now.
    pub memory_bytes: u64,
}
