//! What an agent is told at its start.

use std::path::PathBuf;

/// An access key. It has no `Debug` form of its secret.
#[derive(Clone)]
pub struct Credentials {
    /// Id of the key.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.access_key_id)
    }
}

/// The settings of an agent.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// Address of the region's API: `http://127.0.0.1:4566`.
    pub endpoint: String,
    /// Name of the region.
    pub region: String,
    /// Key that the agent signs with.
    pub credentials: Credentials,
    /// Cluster to register in.
    pub cluster: String,
    /// Directory of the agent's own files; one agent at a time uses it.
    pub data_dir: PathBuf,
    /// CPU units to offer, 1024 for each core.
    pub cpu: u32,
    /// Memory to offer in MiB.
    pub memory: u32,
    /// Attributes to register with: names and values.
    pub attributes: Vec<(String, Option<String>)>,
}

impl AgentConfig {
    /// Where the agent keeps what it knows of its tasks, a directory for each.
    pub fn tasks_dir(&self) -> PathBuf {
        self.data_dir.join("tasks")
    }
}

/// Why an agent cannot run.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The endpoint is not a plain HTTP address.
    #[error("{0:?} is not an address such as http://127.0.0.1:4566")]
    Endpoint(String),
    /// The agent's own files.
    #[error("use the agent's directory {}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server does not take this machine.
    #[error("register the container instance: {0}")]
    Registration(String),
}
