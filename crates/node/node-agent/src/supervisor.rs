//! All tasks of this agent.

use crate::disk::{self, DiskError};
use crate::task::definition::{TaskDefinition, holder, task_id};
use crate::task::record::{Report, Status};
use crate::task::{Host, Runner, TaskHandle, keep_payload, kept_payload};
use agent_wire::acs;
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Most tasks on one machine; bounds what a server can make the agent do.
const MOST_TASKS: usize = 10_000;
/// Tasks that are remembered after their end: far more than end while one payload is on its way.
const MOST_OVER: usize = 10_000;

/// Knows every task and owns its runner; cheap to share.
pub(crate) struct Supervisor {
    host: Arc<Host>,
    dir: PathBuf,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    tasks: HashMap<String, TaskHandle>,
    runners: JoinSet<()>,
    over: Over,
}

/// Ids of tasks that are over here, the latest last. The server has accepted the end of each, but a payload that it put
/// together before may still arrive, and must not run the task again.
#[derive(Default)]
struct Over {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Over {
    fn note(&mut self, id: String) {
        if self.ids.insert(id.clone()) {
            self.order.push_back(id);
        }
        if self.order.len() > MOST_OVER
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }
}

impl Supervisor {
    /// Tasks below `dir`.
    pub(crate) fn new(host: Arc<Host>, dir: PathBuf) -> Self {
        Self { host, dir, state: Arc::default() }
    }

    /// Takes over the tasks of an earlier run, and removes what belongs to none.
    pub(crate) async fn recover(&self) -> Result<(), DiskError> {
        disk::make_dir(&self.dir).await?;
        for id in disk::dirs(&self.dir).await? {
            let dir = self.dir.join(&id);
            let payload = kept_payload(&dir).await?;
            let definition = payload.as_ref().map(TaskDefinition::read);
            match definition {
                Some(Ok(task)) if task.id == id => {
                    let (runner, handle) = Runner::open(self.host.clone(), task, dir).await;
                    self.launch(runner, handle, true);
                }
                _ => {
                    tracing::warn!(task = id, "removing the unreadable files of a task");
                    disk::remove_dir(&dir).await?;
                }
            }
        }
        self.remove_orphans().await;
        Ok(())
    }

    async fn remove_orphans(&self) {
        let engine = &self.host.engine;
        let sandboxes = engine.list().await.unwrap_or_else(|error| {
            tracing::error!(%error, "cannot list sandboxes");
            Vec::new()
        });
        for id in sandboxes.iter().filter(|id| !self.knows(id)) {
            tracing::warn!(sandbox = id, "removing a sandbox that belongs to no task");
            if let Err(error) = engine.remove_sandbox(id).await {
                tracing::error!(sandbox = id, %error, "cannot remove it");
            }
        }
        let kept: Vec<String> = {
            let state = self.state.lock();
            let tasks = state.tasks.values().map(|handle| &handle.definition);
            tasks.flat_map(|task| (0..task.containers.len()).map(|index| holder(&task.id, index))).collect()
        };
        for gone in engine.holders().iter().filter(|holder| !kept.contains(holder)) {
            engine.release(gone).await;
        }
    }

    /// Takes on a task of a payload; a known one can only be stopped, and one that is over is left alone. It is on disk when this returns. False when it
    /// cannot be read; that is reported to the server.
    pub(crate) async fn accept(&self, task: &acs::Task) -> Result<bool, DiskError> {
        let stop = task.desired_status == "STOPPED";
        if let Ok(id) = task_id(&task.arn)
            && let Some(known) = self.get(id)
        {
            if stop {
                known.stop();
            } else {
                known.roles.take_payload(task);
            }
            return Ok(true);
        }
        if task_id(&task.arn).is_ok_and(|id| self.state.lock().over.ids.contains(id)) {
            return Ok(true);
        }
        let report = if stop {
            // Nothing of it is here, so it has stopped.
            Report::stopped(None)
        } else {
            let readable = if self.len() < MOST_TASKS {
                TaskDefinition::read(task).map_err(|error| error.to_string())
            } else {
                Err(format!("this machine has {MOST_TASKS} tasks already"))
            };
            match readable {
                Ok(definition) => {
                    let dir = self.dir.join(&definition.id);
                    keep_payload(&dir, task).await?;
                    tracing::info!(task = definition.id, family = definition.family, "task arrived");
                    let (runner, handle) = Runner::open(self.host.clone(), definition, dir).await;
                    handle.roles.take_payload(task);
                    self.launch(runner, handle, false);
                    return Ok(true);
                }
                Err(reason) => {
                    tracing::warn!(task = task.arn, reason, "a task cannot be run");
                    Report::stopped(Some(format!("UnrecognizedTaskError: {reason}")))
                }
            }
        };
        let (host, cluster, arn) = (self.host.clone(), task.task_cluster_arn.clone(), task.arn.clone());
        self.state.lock().runners.spawn(async move {
            host.api.submit_by_arn(&cluster, &arn, &report).await;
        });
        Ok(stop)
    }

    fn launch(&self, runner: Runner, handle: TaskHandle, resumed: bool) {
        let id = handle.definition.id.clone();
        let shared = Arc::downgrade(&self.state);
        let mut state = self.state.lock();
        state.tasks.insert(id.clone(), handle);
        state.runners.spawn(async move {
            runner.run(resumed).await;
            if let Some(state) = shared.upgrade() {
                let mut state = state.lock();
                state.tasks.remove(&id);
                state.over.note(id);
            }
        });
        // Those that have ended are forgotten here, so that the set does not grow.
        while state.runners.try_join_next().is_some() {}
    }

    /// A task by its id.
    pub(crate) fn get(&self, id: &str) -> Option<TaskHandle> {
        self.state.lock().tasks.get(id).cloned()
    }

    /// Every task.
    pub(crate) fn tasks(&self) -> Vec<TaskHandle> {
        self.state.lock().tasks.values().cloned().collect()
    }

    fn knows(&self, id: &str) -> bool {
        self.state.lock().tasks.contains_key(id)
    }

    fn len(&self) -> usize {
        self.state.lock().tasks.len()
    }

    /// Ends all runners and leaves the tasks running, to be taken over by the next start.
    pub(crate) async fn detach(&self) {
        let mut runners = std::mem::take(&mut self.state.lock().runners);
        runners.shutdown().await;
    }
}

impl Report {
    /// Of a task that is not here.
    fn stopped(reason: Option<String>) -> Self {
        Self {
            status: Status::Stopped,
            reason,
            containers: Vec::new(),
            pull_started_at: None,
            pull_stopped_at: None,
            execution_stopped_at: None,
            exec_agents: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Api;
    use crate::config::Credentials;
    use crate::engine::{SimulatedEngine, SimulatedFault};
    use crate::task::testing::{container, payload};
    use environment::Environment;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::Notify;

    /// A region that accepts every report, at the address that is returned.
    async fn accepting_region() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("has an address");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                // A report is far smaller than a buffer; its content does not matter.
                let _ = stream.read(&mut [0; 16 * 1024]).await;
                let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
                let _ = stream.write_all(answer).await;
            }
        });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn a_payload_from_before_a_tasks_end_does_not_run_it_again() {
        let environment = Environment::real();
        let engine = SimulatedEngine::new(environment.clone());
        engine.fail(SimulatedFault::Start("web".to_owned()));
        let credentials = Credentials { access_key_id: "AKIA".into(), secret_access_key: "secret".into() };
        let endpoint = accepting_region().await.parse().expect("an address");
        let host = Host {
            engine: Arc::new(engine.clone()),
            api: Arc::new(Api::new(endpoint, "us-east-1", &credentials, environment.clone())),
            environment: environment.clone(),
            health_changed: Notify::new(),
        };
        let dir = tempfile::tempdir().expect("a directory");
        let supervisor = Supervisor::new(Arc::new(host), dir.path().join("tasks"));
        let task = payload(vec![container("web")]);
        assert!(supervisor.accept(&task).await.expect("keeps it"));
        let over = async {
            while supervisor.len() > 0 {
                environment.sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), over).await.expect("the task ends");
        assert!(supervisor.accept(&task).await.expect("leaves it"));
        assert_eq!((supervisor.len(), engine.made().len()), (0, 1), "it ran once");
    }

    #[test]
    fn the_memory_of_tasks_that_are_over_is_bounded() {
        let mut over = Over::default();
        for number in 0..MOST_OVER + 2 {
            over.note(number.to_string());
            over.note(number.to_string());
        }
        assert_eq!((over.ids.len(), over.order.len()), (MOST_OVER, MOST_OVER));
        assert!(!over.ids.contains("1") && over.ids.contains("2"));
    }
}
