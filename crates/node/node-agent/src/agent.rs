//! The agent as a whole: registration, sessions, shutdown.

use crate::api::{Api, ApiError, PollEndpoints, Registration};
use crate::backoff::Backoff;
use crate::config::{AgentConfig, AgentError};
use crate::disk::{self, DiskError};
use crate::engine::Engine;
use crate::supervisor::Supervisor;
use crate::task::Host;
use crate::{acs, disk_pressure, tcs};
use environment::Environment;
use http::Uri;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify};

/// Version that the server is told.
const VERSION: &str = "1.100.0";
/// The file of what the agent itself remembers.
const MEMORY_FILE: &str = "agent.json";

/// An agent; [`Agent::run`] is all its life.
pub struct Agent {
    config: AgentConfig,
    engine: Arc<dyn Engine>,
    environment: Environment,
}

/// What the agent remembers of itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Memory {
    cluster: String,
    container_instance: Option<String>,
    /// Highest sequence number seen.
    sequence: i64,
}

/// What the sessions share.
pub(crate) struct Shared {
    pub(crate) api: Arc<Api>,
    pub(crate) host: Arc<Host>,
    pub(crate) supervisor: Supervisor,
    pub(crate) environment: Environment,
    pub(crate) cluster: String,
    pub(crate) instance: String,
    pub(crate) version: &'static str,
    memory: Mutex<Memory>,
    memory_file: PathBuf,
}

impl Agent {
    /// An agent that runs containers through `engine`.
    pub fn new(config: AgentConfig, engine: Arc<dyn Engine>, environment: Environment) -> Self {
        Self { config, engine, environment }
    }

    /// Registers, takes over the tasks of an earlier run, and serves until `shutdown` completes. Tasks go on running
    /// when it returns; the next run finds them.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), AgentError> {
        tokio::pin!(shutdown);
        let shared = tokio::select! {
            prepared = self.prepare() => prepared?,
            () = &mut shutdown => return Ok(()),
        };
        tokio::select! {
            () = acs::run(&shared) => {}
            () = tcs::run(&shared) => {}
            () = disk_pressure::run(&shared.host, &shared.supervisor) => {}
            () = &mut shutdown => {}
        }
        shared.supervisor.detach().await;
        tracing::info!("the agent has stopped; tasks go on running");
        Ok(())
    }

    async fn prepare(&self) -> Result<Shared, AgentError> {
        let dir = &self.config.data_dir;
        let failed = |error: DiskError| AgentError::Directory { path: dir.clone(), source: error.into() };
        let endpoint = self.endpoint()?;
        let api = Arc::new(Api::new(
            endpoint,
            &self.config.region,
            &self.config.credentials,
            self.environment.clone(),
        ));
        disk::make_dir(dir).await.map_err(failed)?;
        let memory_file = dir.join(MEMORY_FILE);
        let mut memory = recall(&memory_file, &self.config.cluster).await.map_err(failed)?;
        let host = Arc::new(Host {
            engine: self.engine.clone(),
            api: api.clone(),
            environment: self.environment.clone(),
            health_changed: Notify::new(),
        });
        let supervisor = Supervisor::new(host.clone(), self.config.tasks_dir());
        // Tasks are taken over while the registration is under way.
        let (recovered, registered) =
            tokio::join!(supervisor.recover(), self.register(&api, memory.container_instance.as_deref()));
        recovered.map_err(failed)?;
        let instance = registered?;
        memory.container_instance = Some(instance.clone());
        disk::write(&memory_file, &memory).await.map_err(failed)?;
        tracing::info!(instance, "registered as a container instance");
        Ok(Shared {
            api,
            host,
            supervisor,
            environment: self.environment.clone(),
            cluster: self.config.cluster.clone(),
            instance,
            version: VERSION,
            memory: Mutex::new(memory),
            memory_file,
        })
    }

    fn endpoint(&self) -> Result<Uri, AgentError> {
        let wrong = || AgentError::Endpoint(self.config.endpoint.clone());
        let uri: Uri = self.config.endpoint.parse().map_err(|_| wrong())?;
        if uri.scheme_str() == Some("http") && uri.authority().is_some() { Ok(uri) } else { Err(wrong()) }
    }

    /// Until the server takes this machine; anew when it has forgotten the instance.
    async fn register(&self, api: &Api, known: Option<&str>) -> Result<String, AgentError> {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(30));
        let mut registration = Registration {
            cluster: &self.config.cluster,
            container_instance: known,
            cpu: self.config.cpu,
            memory: self.config.memory,
            attributes: &self.config.attributes,
            version: VERSION,
        };
        loop {
            match api.register(&registration).await {
                Ok(instance) => return Ok(instance),
                Err(error) if error.is_retryable() => {
                    tracing::debug!(%error, "cannot register, trying again");
                    self.environment.sleep(backoff.next(&self.environment)).await;
                }
                Err(error) if registration.container_instance.is_some() => {
                    tracing::warn!(%error, "the server has forgotten this container instance");
                    registration.container_instance = None;
                }
                Err(error) => return Err(AgentError::Registration(error.to_string())),
            }
        }
    }
}

async fn recall(file: &Path, cluster: &str) -> Result<Memory, DiskError> {
    let memory: Option<Memory> = disk::read(file).await?;
    let fresh = || Memory { cluster: cluster.to_owned(), container_instance: None, sequence: -1 };
    Ok(memory.filter(|memory| memory.cluster == cluster).unwrap_or_else(fresh))
}

impl Shared {
    /// Where the sessions go; asked for at each connect, for the server may have moved.
    pub(crate) async fn endpoints(&self) -> Result<PollEndpoints, ApiError> {
        self.api.poll_endpoints(&self.cluster, &self.instance).await
    }

    /// Takes note of a sequence number; false when it is not higher than all before.
    pub(crate) async fn note_sequence(&self, sequence: i64) -> Result<bool, DiskError> {
        let mut memory = self.memory.lock().await;
        if sequence <= memory.sequence {
            return Ok(false);
        }
        memory.sequence = sequence;
        disk::write(&self.memory_file, &*memory).await?;
        Ok(true)
    }
}
