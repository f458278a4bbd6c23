//! What can go wrong with sandboxes.

use std::io;
use std::path::PathBuf;

/// A failed operation of the runtime.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The shim refused; its text says why, as a container engine would.
    #[error("{0}")]
    Refused(String),
    /// The shim is gone: it was killed, and its containers with it.
    #[error("the shim of sandbox {0} is gone")]
    ShimGone(String),
    /// There is no such sandbox.
    #[error("there is no sandbox {0}")]
    NoSandbox(String),
    /// The shim did not start.
    #[error("the shim did not start: {0}")]
    NoShim(String),
    /// The file system refused.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl RuntimeError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { action, path: path.into(), source }
    }
}
