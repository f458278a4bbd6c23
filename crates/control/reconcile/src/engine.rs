//! Runs reconcilers over a queue until it is stopped.

use crate::{Next, Queue};
use environment::{Environment, Timestamp};
use std::collections::HashMap;
use std::fmt::{Debug, Display};
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Moves one resource towards what is wanted of it.
pub trait Reconciler: Send + Sync + 'static {
    /// What names a resource.
    type Key: Clone + Debug + Eq + Hash + Ord + Send + 'static;
    /// Why a run failed; it is logged here and tried again later.
    type Error: Display + Send + 'static;

    /// One step for the resource called `key`, which may be gone. Idempotent, and safe to kill at any line.
    fn reconcile(&self, key: &Self::Key) -> impl Future<Output = Result<Next, Self::Error>> + Send;

    /// Every key there is, for the resync.
    fn keys(&self) -> impl Future<Output = Result<Vec<Self::Key>, Self::Error>> + Send;
}

/// How a reconciler is run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name in log lines.
    pub name: &'static str,
    /// Most keys in work at the same time.
    pub concurrency: usize,
    /// Wait after the first failure of a key; doubles with each further one.
    pub first_backoff: Duration,
    /// Longest wait after a failure.
    pub longest_backoff: Duration,
    /// All keys are reconciled once per this time; the first time at the start.
    pub resync: Duration,
}

impl Settings {
    /// The usual settings: 64 keys at a time, back-off from 50 milliseconds to 30 seconds, resync every 5 minutes.
    pub const fn named(name: &'static str) -> Self {
        Self {
            name,
            concurrency: 64,
            first_backoff: Duration::from_millis(50),
            longest_backoff: Duration::from_secs(30),
            resync: Duration::from_secs(300),
        }
    }

    /// Wait after so many failures of a key in a row.
    pub fn backoff(&self, failures: u32) -> Duration {
        let factor = 1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first_backoff.saturating_mul(factor).min(self.longest_backoff)
    }
}

/// Reconciles what `queue` holds until `stop`; then waits for the runs in progress and returns.
pub async fn run<R: Reconciler>(
    reconciler: Arc<R>,
    queue: Queue<R::Key>,
    settings: Settings,
    environment: Environment,
    stop: CancellationToken,
) {
    let resync = environment.now();
    let mut engine = Engine {
        reconciler,
        queue,
        settings,
        environment,
        runs: JoinSet::new(),
        keys: HashMap::new(),
        resync,
    };
    while !stop.is_cancelled() {
        engine.start_what_is_ready();
        let wake = engine.queue.next_timer().map_or(engine.resync, |timer| timer.min(engine.resync));
        // With no room left, only the end of a run may change anything.
        let room = engine.keys.len() < engine.settings.concurrency;
        tokio::select! {
            () = stop.cancelled() => {}
            Some(ended) = engine.runs.join_next_with_id() => engine.ended(ended),
            () = engine.queue.changed(), if room => {}
            () = engine.environment.sleep_until(wake), if room => {}
        }
    }
    while engine.runs.join_next().await.is_some() {}
}

enum Ended<R: Reconciler> {
    Run(Result<Next, R::Error>),
    Listed(Result<Vec<R::Key>, R::Error>),
}

struct Engine<R: Reconciler> {
    reconciler: Arc<R>,
    queue: Queue<R::Key>,
    settings: Settings,
    environment: Environment,
    runs: JoinSet<Ended<R>>,
    /// What each run works on; `None` lists all keys.
    keys: HashMap<Id, Option<R::Key>>,
    /// When all keys are due again.
    resync: Timestamp,
}

impl<R: Reconciler> Engine<R> {
    fn start_what_is_ready(&mut self) {
        let now = self.environment.now();
        // One that is further away than ever was planned before the clock was put back.
        if now >= self.resync || self.resync.since(now) > self.settings.resync {
            self.resync = now + self.settings.resync;
            let reconciler = self.reconciler.clone();
            let listing = self.runs.spawn(async move { Ended::Listed(reconciler.keys().await) });
            self.keys.insert(listing.id(), None);
        }
        while self.keys.len() < self.settings.concurrency {
            let Some(key) = self.queue.take(now) else { return };
            let reconciler = self.reconciler.clone();
            let moved = key.clone();
            let run = self.runs.spawn(async move { Ended::Run(reconciler.reconcile(&moved).await) });
            self.keys.insert(run.id(), Some(key));
        }
    }

    fn ended(&mut self, ended: Result<(Id, Ended<R>), JoinError>) {
        let now = self.environment.now();
        let name = self.settings.name;
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some(key) = self.keys.remove(&id) else { return };
        match (key, ended) {
            (Some(key), Ok((_, Ended::Run(Ok(next))))) => self.queue.finish(&key, next, now),
            (Some(key), ended) => {
                if let Err(error) = &ended {
                    tracing::error!(name, ?key, %error, "reconciling panicked");
                } else if let Ok((_, Ended::Run(Err(error)))) = &ended {
                    tracing::warn!(name, ?key, %error, "reconciling failed");
                }
                self.queue.fail(&key, now, |failures| self.settings.backoff(failures));
            }
            (None, Ok((_, Ended::Listed(Ok(keys))))) => {
                for key in keys {
                    self.queue.nudge(key);
                }
            }
            (None, ended) => {
                if let Ok((_, Ended::Listed(Err(error)))) = ended {
                    tracing::warn!(name, %error, "listing all keys failed");
                }
                self.resync = self.resync.min(now + self.settings.longest_backoff);
            }
        }
    }
}

#[cfg(test)]
mod tests;
