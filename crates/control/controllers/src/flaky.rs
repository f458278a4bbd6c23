//! A store that dies once: before or after a transaction.

use async_trait::async_trait;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use store::{
    LeaseId, MemoryStore, RangeRequest, RangeResponse, Revision, Store, StoreError, StoreStatus, Transaction,
    TransactionResponse, Watch, WatchRequest,
};

/// Counts two points for each transaction: before it and after it.
pub struct FlakyStore {
    inner: Arc<MemoryStore>,
    points_left: AtomicUsize,
    died: AtomicUsize,
}

impl FlakyStore {
    /// One that does not die until it is told to.
    pub fn new(inner: Arc<MemoryStore>) -> Arc<Self> {
        Arc::new(Self { inner, points_left: AtomicUsize::new(0), died: AtomicUsize::new(0) })
    }

    /// Dies at the point with this number, counted from 1.
    pub fn die_at(&self, point: usize) {
        self.points_left.store(point, Ordering::SeqCst);
    }

    /// How many points it still has to go, zero when it is not to die.
    pub fn planned(&self) -> usize {
        self.points_left.load(Ordering::SeqCst)
    }

    /// Whether it has died.
    pub fn died(&self) -> bool {
        self.died.load(Ordering::SeqCst) > 0
    }

    /// Awaits without counting.
    pub async fn without_dying<T>(&self, future: impl Future<Output = T>) -> T {
        let left = self.points_left.swap(0, Ordering::SeqCst);
        let done = future.await;
        self.points_left.store(left, Ordering::SeqCst);
        done
    }

    fn point(&self) -> Result<(), StoreError> {
        let counted =
            self.points_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if counted == Ok(1) {
            self.died.fetch_add(1, Ordering::SeqCst);
            return Err(StoreError::Backend("a planned death".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl Store for FlakyStore {
    async fn range(&self, request: RangeRequest) -> Result<RangeResponse, StoreError> {
        self.inner.range(request).await
    }

    async fn transact(&self, transaction: Transaction) -> Result<TransactionResponse, StoreError> {
        self.point()?;
        let response = self.inner.transact(transaction).await?;
        self.point()?;
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
        self.inner.status().await
    }
}
