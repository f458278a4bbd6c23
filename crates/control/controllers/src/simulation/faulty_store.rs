//! A store that fails as stores do: before a transaction, after it, and because somebody else was quicker. And one whose
//! callers are paused, so that the simulation can let something else happen between any two of their steps, or kill them.

use super::chance::Chance;
use async_trait::async_trait;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use store::{
    KeyRange, LeaseId, MemoryStore, Op, RangeRequest, RangeResponse, Revision, Store, StoreError,
    StoreStatus, Test, Transaction, TransactionResponse, Watch, WatchRequest,
};

/// How often something happens to a request, in thousandths.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The caller is paused before it.
    pub pauses: u64,
    /// A read fails.
    pub reads: u64,
    /// A transaction fails, and nothing is written.
    pub fails: u64,
    /// A transaction is done, and its answer is lost.
    pub answers: u64,
    /// Somebody else has just written one of the rows.
    pub conflicts: u64,
}

pub struct FaultyStore {
    inner: Arc<MemoryStore>,
    state: Mutex<(Faults, Chance)>,
}

impl FaultyStore {
    /// One that works until it is told otherwise.
    pub fn new(inner: Arc<MemoryStore>, seed: u64) -> Arc<Self> {
        Arc::new(Self { inner, state: Mutex::new((Faults::default(), Chance::new(seed))) })
    }

    pub fn set(&self, faults: Faults) {
        self.state.lock().0 = faults;
    }

    fn happens(&self, how_often: impl Fn(&Faults) -> u64) -> bool {
        let mut state = self.state.lock();
        let how_often = how_often(&state.0);
        how_often > 0 && state.1.below(1_000) < how_often
    }

    async fn pause(&self) {
        if self.happens(|faults| faults.pauses) {
            tokio::task::yield_now().await;
        }
    }

    fn fail(&self, what: &str, how_often: impl Fn(&Faults) -> u64) -> Result<(), StoreError> {
        if self.happens(how_often) {
            return Err(StoreError::Backend(format!("a planned failure {what}")));
        }
        Ok(())
    }

    /// Writes a row as it is, so that whoever has read it comes too late.
    async fn touch(&self, transaction: &Transaction) -> Result<(), StoreError> {
        for compare in &transaction.compares {
            let Test::ModRevision(revision) = compare.test else { continue };
            let range = KeyRange::Key(compare.key.clone());
            let found =
                self.inner.range(RangeRequest { range, after: None, limit: 1, revision: None }).await?;
            let Some(item) = found.items.first().filter(|item| item.mod_revision == revision) else {
                continue;
            };
            let same = Op::Put { key: item.key.clone(), value: item.value.clone(), lease: None };
            let transaction = Transaction { success: vec![same], ..Transaction::default() };
            return self.inner.transact(transaction).await.map(|_| ());
        }
        Ok(())
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn range(&self, request: RangeRequest) -> Result<RangeResponse, StoreError> {
        self.pause().await;
        self.fail("of a read", |faults| faults.reads)?;
        self.inner.range(request).await
    }

    async fn transact(&self, transaction: Transaction) -> Result<TransactionResponse, StoreError> {
        self.pause().await;
        if self.happens(|faults| faults.conflicts) {
            self.touch(&transaction).await?;
        }
        self.fail("before a transaction", |faults| faults.fails)?;
        let response = self.inner.transact(transaction).await?;
        self.pause().await;
        self.fail("after a transaction", |faults| faults.answers)?;
        Ok(response)
    }

    async fn watch(&self, request: WatchRequest) -> Result<Watch, StoreError> {
        self.inner.watch(request).await
    }

    async fn grant_lease(&self, ttl: Duration) -> Result<LeaseId, StoreError> {
        self.inner.grant_lease(ttl).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.inner.keep_alive(lease).await
    }

    async fn revoke_lease(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.inner.revoke_lease(lease).await
    }

    async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        self.inner.compact(revision).await
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        self.fail("of a read", |faults| faults.reads)?;
        self.inner.status().await
    }
}
