//! The proxies of tasks: one process for each, in the network namespace of its task.
//!
//! The agent starts a proxy with the sandbox of its task and removes it with that; whoever knows the endpoints of services tells
//! it what to do. They meet here. A proxy outlives both, as a sandbox does, and is found again by its directory.

use crate::COMMAND;
use crate::load_balancers::LoadBalancers;
use daemon::{ControlError, Home, Started};
use environment::Environment;
use load_balancing::{Configuration, Report};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

/// Digits of a task's id that name its directory: the path of a socket has 107 bytes, and ids are random.
const NAME_DIGITS: usize = 16;
/// What proxies are called in messages.
const NAME: &str = "proxy";
/// Pause between looks at whether a proxy does what it was told.
const LOOK: Duration = Duration::from_millis(10);

/// The proxies of a host's tasks; clones are the same.
#[derive(Clone)]
pub struct Proxies(Arc<Inner>);

struct Inner {
    root: PathBuf,
    program: PathBuf,
    environment: Environment,
    /// By the ids of their tasks, each with a number that no other one has.
    all: Mutex<BTreeMap<String, (u64, Arc<LoadBalancers>)>>,
    /// One more with each proxy that comes or is found again.
    changes: watch::Sender<u64>,
}

impl Proxies {
    /// Those whose directories are below `root`; `program` is started with [`crate::COMMAND`] as its first argument.
    pub fn new(root: PathBuf, program: PathBuf, environment: Environment) -> Self {
        let (all, changes) = (Mutex::default(), watch::Sender::new(0));
        Self(Arc::new(Inner { root, program, environment, all, changes }))
    }

    /// Starts the proxy of a task in its network namespace, or finds it. It is replaced when it dies, until [`Proxies::remove`].
    pub async fn start(
        &self,
        task: &str,
        network_namespace: &Path,
        started: Started,
    ) -> Result<(), ControlError> {
        let arguments = vec!["--network-namespace".into(), network_namespace.into()];
        let home = Home { arguments, started: Some(started), ..self.0.home(task) };
        let proxy = LoadBalancers::start(home).await?;
        {
            let mut all = self.0.all.lock().await;
            let number = *self.0.changes.borrow() + 1;
            all.insert(task.to_owned(), (number, Arc::new(proxy)));
            self.0.changes.send_replace(number);
        }
        Ok(())
    }

    /// Whether a task has a proxy, from this run or an earlier one.
    pub fn has(&self, task: &str) -> bool {
        self.0.directory(task).is_dir()
    }

    /// Ends the proxy of a task with all that it carries; fine when there is none.
    pub async fn remove(&self, task: &str) -> io::Result<()> {
        if !self.has(task) {
            return Ok(());
        }
        // Nobody replaces it from here on.
        drop(self.0.all.lock().await.remove(task));
        if let Err(error) = self.0.home(task).stop(Duration::ZERO).await {
            tracing::debug!(task, error = &error as &dyn std::error::Error, "a proxy has ended by itself");
        }
        match fs::remove_dir_all(self.0.directory(task)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // It stays while others are in it.
        let _ = fs::remove_dir(&self.0.root);
        Ok(())
    }

    /// The file with what a task's proxy has told, a line for each thing; it goes with [`Proxies::remove`].
    pub fn log(&self, task: &str) -> PathBuf {
        self.0.home(task).log()
    }

    /// Whether this run has started or found the proxy of a task, and has not ended it.
    pub async fn is_there(&self, task: &str) -> bool {
        self.0.all.lock().await.contains_key(task)
    }

    /// Ends the proxy of a task with all that it carries; what it has told stays.
    pub async fn end(&self, task: &str) {
        // Nobody replaces it from here on.
        let own = self.0.all.lock().await.remove(task);
        if own.is_some()
            && let Err(error) = self.0.home(task).stop(Duration::ZERO).await
        {
            tracing::debug!(task, error = &error as &dyn std::error::Error, "a proxy has ended by itself");
        }
    }

    /// Waits until a task's proxy does something and all of it: then its containers may start.
    pub async fn ready(&self, task: &str, longest: Duration) -> Result<(), ControlError> {
        let deadline = Instant::now() + longest;
        loop {
            let report = self.report(task).await?;
            let fault = match &report {
                Some(report) if report.revision > 0 => {
                    report.listeners.iter().find_map(|own| own.error.clone())
                }
                _ => Some("it has not been told what to do".to_owned()),
            };
            let Some(fault) = fault else { return Ok(()) };
            if Instant::now() >= deadline {
                return Err(ControlError::NotReady(NAME, fault));
            }
            self.0.environment.sleep(LOOK).await;
        }
    }

    /// Has a task's proxy do from now on what `configuration` says. False when there is none.
    pub async fn apply(&self, task: &str, configuration: &Configuration) -> Result<bool, ControlError> {
        match self.get(task).await {
            Some(proxy) => proxy.apply(configuration).await.map(|()| true),
            None => Ok(false),
        }
    }

    /// What a task's proxy has seen; nothing when there is none.
    pub async fn report(&self, task: &str) -> Result<Option<Report>, ControlError> {
        match self.get(task).await {
            Some(proxy) => proxy.report().await.map(Some),
            None => Ok(None),
        }
    }

    /// The proxies that this run has started or found, by the ids of their tasks; one that is made anew has another number.
    pub async fn tasks(&self) -> BTreeMap<String, u64> {
        self.0.all.lock().await.iter().map(|(task, (number, _))| (task.clone(), *number)).collect()
    }

    /// Tells when a proxy comes or is found again.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    async fn get(&self, task: &str) -> Option<Arc<LoadBalancers>> {
        self.0.all.lock().await.get(task).map(|(_, proxy)| proxy.clone())
    }
}

impl Inner {
    fn directory(&self, task: &str) -> PathBuf {
        let end = task.char_indices().nth(NAME_DIGITS).map_or(task.len(), |(end, _)| end);
        self.root.join(&task[..end])
    }

    fn home(&self, task: &str) -> Home {
        Home {
            name: NAME,
            directory: self.directory(task),
            program: self.program.clone(),
            command: COMMAND,
            arguments: Vec::new(),
            environment: self.environment.clone(),
            started: None,
        }
    }
}
