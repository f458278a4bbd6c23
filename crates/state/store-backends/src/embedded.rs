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
        let committer = Committer::new(machine.clone(), directory.to_owned(), disk, environment.clone());
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
    use committer::REOPEN;
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

    /// A small file system, unmounted in the end.
    struct SmallDisk(tempfile::TempDir);

    impl SmallDisk {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("a directory");
            let mut mount = std::process::Command::new("mount");
            mount.args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(dir.path());
            assert!(mount.status().expect("mount runs").success(), "needs root");
            Self(dir)
        }
    }

    impl Drop for SmallDisk {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
        }
    }

    async fn keys(store: &EmbeddedStore) -> Vec<String> {
        let range = store.range(RangeRequest::all(KeyRange::prefix(""))).await.expect("reads");
        range.items.iter().map(|item| item.key.to_string()).collect()
    }

    #[tokio::test]
    async fn a_full_disk_loses_nothing_and_is_got_over() {
        let disk = SmallDisk::new();
        let path = disk.0.path().join("store");
        let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(1_000), 1);
        let store = EmbeddedStore::open(&path, environment.clone()).await.expect("opens");
        store.transact(put("first", None)).await.expect("puts");
        // As much as fits; the error tells when.
        let ballast = disk.0.path().join("ballast");
        std::fs::write(&ballast, vec![1; 8 << 20]).expect_err("is larger than the disk");
        let large = |key: &str, size| {
            // Of no pattern that could be compressed.
            let mut value = vec![0; size];
            environment.fill_random(&mut value);
            let op = Op::Put { key: key.into(), value: value.into(), lease: None };
            Transaction { success: vec![op], ..Transaction::default() }
        };
        let mut made = vec!["first".to_owned()];
        loop {
            let key = format!("k{:04}", made.len());
            match store.transact(large(&key, 3_000)).await {
                Ok(_) => made.push(key),
                Err(StoreError::Backend(_)) => break,
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(keys(&store).await, made, "what failed is not shown");
        simulation.advance(REOPEN);
        assert!(store.transact(large("still full", 500_000)).await.is_err());
        std::fs::remove_file(&ballast).expect("removes");
        simulation.advance(REOPEN);
        store.transact(put("there is room", None)).await.expect("puts");
        made.push("there is room".to_owned());
        // What was answered as failed may have happened in the end.
        let now = keys(&store).await;
        assert!(made.iter().all(|key| now.contains(key)), "{now:?} lacks some of {made:?}");
        assert!(now.len() <= made.len() + 2, "{now:?}");
        store.close().await;
        let store = EmbeddedStore::open(&path, environment.clone()).await.expect("opens");
        assert_eq!(keys(&store).await, now, "the disk has the same");
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
