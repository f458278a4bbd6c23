//! The embedded backend: a local log-structured engine below the store's state machine.
//!
//! One thread commits. It takes every transaction that waits, stages them one after the other, writes all their
//! changes in one batch with one sync, applies them, and only then answers. A lone transaction is synced at once.
//! Current state and watches are served from memory, so readers never wait for the disk.

mod committer;
mod disk;

use committer::{Command, Committer};
use disk::Disk;
use environment::Environment;
use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use store::{
    LeaseId, Machine, RangeRequest, RangeResponse, Revision, Store, StoreError, StoreStatus, Transaction,
    TransactionResponse, Watch, WatchRequest,
};
use tokio::sync::{Notify, mpsc, oneshot};

/// Transactions that may wait for the committer; more wait in their callers.
const QUEUE: usize = 1024;

/// A durable store in a directory of this machine. One process may have it open.
pub struct EmbeddedStore {
    machine: Arc<Machine>,
    environment: Environment,
    commands: mpsc::Sender<Command>,
    thread: Mutex<Option<JoinHandle<()>>>,
    leases_changed: Arc<Notify>,
    expiry: tokio::task::JoinHandle<()>,
}

impl EmbeddedStore {
    /// Opens or makes the store in `directory`. Must be called inside a tokio runtime.
    pub async fn open(directory: &Path, environment: Environment) -> Result<Arc<Self>, StoreError> {
        let path = directory.to_owned();
        let now = environment.now();
        let opened = tokio::task::spawn_blocking(move || {
            let disk = Disk::open(&path)?;
            let machine = disk.load(now)?;
            Ok::<_, StoreError>((disk, machine))
        })
        .await
        .map_err(|error| StoreError::Backend(error.to_string()))??;
        let (disk, machine) = (opened.0, Arc::new(opened.1));
        let (commands, receiver) = mpsc::channel(QUEUE);
        let committer = Committer::new(machine.clone(), disk, environment.clone());
        let thread = std::thread::Builder::new()
            .name("store-commit".to_owned())
            .spawn(move || committer.run(receiver))
            .map_err(|error| StoreError::Backend(error.to_string()))?;
        let leases_changed = Arc::new(Notify::new());
        let expiry = tokio::spawn(expire_leases(
            machine.clone(),
            environment.clone(),
            commands.downgrade(),
            leases_changed.clone(),
        ));
        let thread = Mutex::new(Some(thread));
        Ok(Arc::new(Self { machine, environment, commands, thread, leases_changed, expiry }))
    }

    /// Waits for the last commit and lets the directory go. Later calls answer [`StoreError::Closed`].
    pub async fn close(&self) {
        self.expiry.abort();
        // The committer is gone already when this fails.
        let _ = self.commands.send(Command::Close).await;
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the store's committer ended badly");
            }
        }
    }

    async fn ask<T>(
        &self,
        make: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Command,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        self.commands.send(make(sender)).await.map_err(|_| StoreError::Closed)?;
        receiver.await.unwrap_or(Err(StoreError::Closed))
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.expiry.abort();
    }
}

/// Ends leases at their time. Holds the queue weakly, so that it never keeps the store open.
async fn expire_leases(
    machine: Arc<Machine>,
    environment: Environment,
    commands: mpsc::WeakSender<Command>,
    changed: Arc<Notify>,
) {
    loop {
        let Some(next) = machine.next_expiry() else {
            changed.notified().await;
            continue;
        };
        if next.at > environment.now() {
            tokio::select! {
                () = environment.sleep_until(next.at) => {}
                () = changed.notified() => {}
            }
            continue;
        }
        let Some(queue) = commands.upgrade() else { return };
        let (sender, receiver) = oneshot::channel();
        if queue.send(Command::Expire(next.lease, sender)).await.is_err() {
            return;
        }
        drop(queue);
        // Whatever the answer, the next round looks again.
        let _ = receiver.await;
    }
}

#[async_trait::async_trait]
impl Store for EmbeddedStore {
    async fn range(&self, request: RangeRequest) -> Result<RangeResponse, StoreError> {
        self.machine.range(&request)
    }

    async fn transact(&self, transaction: Transaction) -> Result<TransactionResponse, StoreError> {
        self.ask(|answer| Command::Transact(transaction, answer)).await
    }

    async fn watch(&self, request: WatchRequest) -> Result<Watch, StoreError> {
        self.machine.watch(request)
    }

    async fn grant_lease(&self, ttl: Duration) -> Result<LeaseId, StoreError> {
        let lease = self.ask(|answer| Command::Grant(ttl, answer)).await?;
        self.leases_changed.notify_one();
        Ok(lease)
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.machine.keep_alive(lease, self.environment.now())
    }

    async fn revoke_lease(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.ask(|answer| Command::Revoke(lease, answer)).await
    }

    async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        // History is kept in memory only, so forgetting it needs no disk.
        self.machine.compact(revision)
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        Ok(self.machine.status())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use environment::Timestamp;
    use store::{KeyRange, Op};

    async fn open(path: &Path) -> Arc<EmbeddedStore> {
        EmbeddedStore::open(path, Environment::real()).await.expect("opens")
    }

    fn put(key: &str, lease: Option<LeaseId>) -> Transaction {
        let op = Op::Put { key: key.into(), value: Bytes::from_static(b"v"), lease };
        Transaction { success: vec![op], ..Transaction::default() }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn passes_the_conformance_suite() {
        let dirs = Mutex::new(Vec::new());
        store::conformance::run(|| {
            let dir = tempfile::tempdir().expect("a directory");
            let path = dir.path().to_owned();
            dirs.lock().push(dir);
            async move {
                let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(1_000), 1);
                let store = EmbeddedStore::open(&path, environment).await.expect("opens");
                (store as Arc<dyn Store>, simulation)
            }
        })
        .await;
    }

    #[tokio::test]
    async fn everything_is_there_after_reopening() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path()).await;
        let lease = store.grant_lease(Duration::from_secs(3600)).await.expect("grants");
        store.transact(put("a", None)).await.expect("puts");
        store.transact(put("a", Some(lease))).await.expect("puts");
        let last = store.transact(put("b", None)).await.expect("puts").revision;
        let before = store.range(RangeRequest::all(KeyRange::prefix(""))).await.expect("reads");
        store.close().await;
        assert!(matches!(store.transact(put("c", None)).await, Err(StoreError::Closed)));

        let store = open(dir.path()).await;
        let after = store.range(RangeRequest::all(KeyRange::prefix(""))).await.expect("reads");
        assert_eq!((after.revision, &after.items), (last, &before.items));
        assert!(store.grant_lease(Duration::from_secs(1)).await.expect("grants") > lease);
        store.revoke_lease(lease).await.expect("the lease is still there");
        assert_eq!(store.status().await.expect("status").keys, 1);
        let watch = store.watch(WatchRequest { range: KeyRange::prefix(""), from: Some(1) }).await;
        assert!(matches!(watch, Err(StoreError::Compacted { .. })), "history does not outlive the process");
        store.close().await;
    }

    #[tokio::test]
    async fn one_process_at_a_time() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path()).await;
        let second = EmbeddedStore::open(dir.path(), Environment::real()).await;
        assert!(matches!(second.err(), Some(StoreError::Locked(_))));
        store.close().await;
    }
}
