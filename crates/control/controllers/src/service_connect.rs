//! Makes Service Connect real: tells the proxy of each task which endpoints there are and which tasks are behind them, and writes
//! what the proxies have counted.
//!
//! What a proxy does comes out of the row of its task, which holds the endpoints that the task may reach, and of the
//! instances of Cloud Map behind these. A proxy is told its whole configuration anew when any of it has changed, and
//! interrupts no connection for that. A task's containers wait until its proxy has been told for the first time. While a
//! deployment shifts traffic, the instances are on two sides, and the shares of these come out of the row of the service that
//! offers the endpoint. [`Names`] removes the services of Cloud Map that no ECS service offers any more.

mod metrics;
mod names;
mod observe;
mod plan;
#[cfg(test)]
mod tests;
mod ways;

pub use names::Names;

use crate::feed::Seen;
use async_trait::async_trait;
use environment::Timestamp;
use load_balancing::{Configuration, Report};
use metric_store::Metrics;
use observe::Split;
use parking_lot::Mutex;
use reconcile::{Next, Queue, Reconciler};
use resources::Stored;
use resources::discovery::Instance;
use resources::ecs::{Service, Task, TaskStatus};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use store::{StoreError, Tables};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The proxies of a host's tasks.
#[async_trait]
pub trait Proxies: Send + Sync + 'static {
    /// Which proxies there are, by the ids of their tasks; a proxy that is made anew has another number.
    async fn tasks(&self) -> BTreeMap<String, u64>;

    /// Tells when one comes.
    fn changes(&self) -> watch::Receiver<u64>;

    /// Has a task's proxy do from now on what `configuration` says. It is at work when this returns.
    async fn apply(&self, task: &str, configuration: &Configuration) -> Result<(), ProxyError>;

    /// What a task's proxy has seen.
    async fn report(&self, task: &str) -> Result<Option<Report>, ProxyError>;
}

/// Why a proxy did not do it.
#[derive(Debug, thiserror::Error)]
#[error("the proxy of a task: {0}")]
pub struct ProxyError(pub String);

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum ServiceConnectError {
    /// The rows failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The proxy failed.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
}

/// The controller. Its keys are those of tasks.
pub struct ServiceConnectController<P> {
    tables: Tables,
    metrics: Metrics,
    proxies: P,
    queue: Queue<String>,
    /// When this controller began.
    began: Timestamp,
    memory: Mutex<Memory>,
}

/// What only saves looking things up and doing them again.
#[derive(Default)]
struct Memory {
    /// Keys of tasks with a proxy, by their ids.
    keys: HashMap<String, String>,
    /// Keys of the tasks that reach a service of Cloud Map, by its id.
    clients: HashMap<String, BTreeSet<String>>,
    /// Keys of the tasks that reach what an ECS service offers, by its key.
    reached: HashMap<String, BTreeSet<String>>,
    /// How the traffic of a service was shared when it was last seen, by its key.
    splits: HashMap<String, Split>,
    /// What was told last to which proxy, by the key of its task.
    told: HashMap<String, (u64, Configuration)>,
}

impl Memory {
    fn forget(&mut self, key: &str) {
        let id = key.rsplit('/').next().unwrap_or_default();
        self.keys.remove(id);
        self.told.remove(key);
        for clients in [&mut self.clients, &mut self.reached] {
            clients.retain(|_, clients| {
                clients.remove(key);
                !clients.is_empty()
            });
        }
    }
}

/// Whether a task's proxy has something to do, or will have.
fn is_at_work(task: &Task) -> bool {
    task.connect.is_some() && task.last_status < TaskStatus::Deprovisioning
}

impl<P: Proxies> ServiceConnectController<P> {
    /// Over the region's rows and a host's proxies.
    pub fn new(tables: Tables, metrics: Metrics, proxies: P, queue: Queue<String>) -> Self {
        let began = tables.environment().now();
        Self { tables, metrics, proxies, queue, began, memory: Mutex::default() }
    }

    /// Queues a task with a proxy.
    pub(crate) fn see_task(&self, seen: &Seen<Task>) {
        match seen {
            Seen::Row(task) if is_at_work(task) => {
                let key = task.key();
                let mut memory = self.memory.lock();
                memory.keys.insert(task.id.clone(), key.clone());
                for endpoint in task.connect.iter().flat_map(|connect| &connect.endpoints) {
                    memory.clients.entry(endpoint.service.clone()).or_default().insert(key.clone());
                    let service = endpoint.offered_by_key(&task.account);
                    memory.reached.entry(service).or_default().insert(key.clone());
                }
                self.queue.nudge(key);
            }
            Seen::Row(task) if task.connect.is_some() => self.memory.lock().forget(&task.key()),
            Seen::Gone(key) => self.memory.lock().forget(key),
            Seen::Row(_) | Seen::Anew => {}
        }
    }

    /// Queues the tasks that reach an instance.
    pub(crate) fn see_instance(&self, seen: &Seen<Instance>) {
        let service = match seen {
            Seen::Row(instance) => Some(instance.service.as_str()),
            Seen::Gone(key) => key.split('/').nth(1),
            Seen::Anew => None,
        };
        let Some(service) = service else { return };
        for key in self.memory.lock().clients.get(service).into_iter().flatten() {
            self.queue.nudge(key.clone());
        }
    }

    /// Queues the tasks that reach a service whose traffic is shared otherwise than before.
    pub(crate) fn see_service(&self, seen: &Seen<Service>) {
        let mut memory = self.memory.lock();
        let key = match seen {
            Seen::Row(service) => {
                let (key, split) = (service.key(), Split::of(service));
                if memory.splits.get(&key) == Some(&split) {
                    return;
                }
                memory.splits.insert(key.clone(), split);
                key
            }
            Seen::Gone(key) => {
                memory.splits.remove(key);
                key.clone()
            }
            Seen::Anew => return,
        };
        for key in memory.reached.get(&key).into_iter().flatten() {
            self.queue.nudge(key.clone());
        }
    }

    /// Queues the tasks whose proxies come, until `stop`.
    pub(crate) async fn follow(&self, stop: CancellationToken) {
        let mut changes = self.proxies.changes();
        loop {
            let proxies = self.proxies.tasks().await;
            {
                let memory = self.memory.lock();
                for (id, number) in &proxies {
                    if let Some(key) = memory.keys.get(id)
                        && memory.told.get(key).is_none_or(|(told, _)| told != number)
                    {
                        self.queue.nudge(key.clone());
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn step(&self, key: &str) -> Result<(), ServiceConnectError> {
        let task = self.tables.get::<Task>(key).await?.filter(|task| is_at_work(task));
        let Some(task) = task else {
            self.memory.lock().forget(key);
            return Ok(());
        };
        let Some(number) = self.proxies.tasks().await.get(&task.id).copied() else {
            // The task is queued when its proxy comes.
            return Ok(());
        };
        let mut wanted = plan::configuration(&task, &self.behind(&task).await?);
        if let Some((told, configuration)) = self.memory.lock().told.get(key) {
            wanted.revision = configuration.revision;
            if *told == number && wanted == *configuration {
                return Ok(());
            }
        }
        // Higher than that of a server before, whose memory is gone.
        let now = u64::try_from(self.tables.environment().now().as_millis()).unwrap_or_default();
        wanted.revision = now.max(wanted.revision + 1);
        self.memory.lock().told.remove(key);
        self.proxies.apply(&task.id, &wanted).await?;
        self.memory.lock().told.insert(key.to_owned(), (number, wanted));
        Ok(())
    }
}

impl<P: Proxies> Reconciler for ServiceConnectController<P> {
    type Key = String;
    type Error = ServiceConnectError;

    async fn reconcile(&self, key: &String) -> Result<Next, ServiceConnectError> {
        self.step(key).await.map(|()| Next::Settled)
    }

    async fn keys(&self) -> Result<Vec<String>, ServiceConnectError> {
        Ok(self.memory.lock().keys.values().cloned().collect())
    }
}
