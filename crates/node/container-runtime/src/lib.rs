//! Sandboxes, and the shim: the small process that owns one sandbox and outlives the agent and the server.
//!
//! [`Runtime`] and [`Sandbox`] are the agent's side: they start shims and talk to them over a socket. The shim is this
//! program started anew with [`SHIM_COMMAND`]; it has one thread, mounts root file systems in a mount namespace of
//! its own (so no mount is ever left behind), starts containers with `libcontainer`, collects their exits, and writes
//! their output to files from which a [`LogReader`] goes on after any restart. Its state is on disk after each change.
//!
//! This is the only crate with unsafe code: installing a seccomp filter and forking have no safe form.

mod attachment;
mod cgroup;
mod disks;
mod error;
mod executor;
mod failure;
mod guard;
mod init;
mod keeper;
mod liveness;
mod logs;
mod oci;
mod protocol;
mod rootfs;
mod runtime;
mod sandbox;
mod seccomp;
mod shim;
mod spec;
mod volumes;

pub use attachment::{AttachedStream, Attachment};
pub use disks::{Disk, FileSystem, disks_unavailable};
pub use error::RuntimeError;
pub use logs::{LogChunk, LogPosition, LogReader, LogRecord};
pub use protocol::{ContainerState, ExecResult, Phase, Usage};
pub use runtime::{Runtime, RuntimeConfig};
pub use sandbox::{Sandbox, SandboxWatch};
pub use shim::shim_main;
pub use spec::{
    AttachSpec, ContainerSpec, ExecSpec, Mount, MountSource, SandboxSpec, Tmpfs, Ulimit, Volume, VolumeSource,
};

/// First argument of this program when it is a shim.
pub const SHIM_COMMAND: &str = "shim";
