//! The store without durability: for tests, and for regions that may forget.

use crate::{
    Change, LeaseId, Machine, RangeRequest, RangeResponse, Revision, Store, StoreError, StoreStatus,
    Transaction, TransactionResponse, Watch, WatchRequest,
};
use environment::Environment;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// A store in memory. Everything is gone when it is dropped.
#[derive(Debug)]
pub struct MemoryStore {
    machine: Machine,
    environment: Environment,
    /// Held while a transaction is staged and applied.
    writing: Mutex<()>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(environment: Environment) -> Arc<Self> {
        Arc::new(Self { machine: Machine::default(), environment, writing: Mutex::new(()) })
    }

    /// Leases end when anybody uses the store after their time; nothing can tell the difference but a watcher.
    fn expire(&self) {
        let now = self.environment.now();
        while let Some(expiry) = self.machine.next_expiry().filter(|expiry| expiry.at <= now) {
            let _writing = self.writing.lock();
            // Somebody else may have ended or renewed it between the two lines.
            if !self.machine.is_due(expiry.lease, now) {
                continue;
            }
            let Ok(outcome) = self.machine.stage().revoke(expiry.lease) else { return };
            self.machine.apply(&mut [outcome], now);
        }
    }
}

#[async_trait::async_trait]
impl Store for MemoryStore {
    async fn range(&self, request: RangeRequest) -> Result<RangeResponse, StoreError> {
        self.expire();
        self.machine.range(&request)
    }

    async fn transact(&self, transaction: Transaction) -> Result<TransactionResponse, StoreError> {
        self.expire();
        let _writing = self.writing.lock();
        let outcome = self.machine.stage().transact(&transaction)?;
        let response = outcome.response.clone();
        self.machine.apply(&mut [outcome], self.environment.now());
        Ok(response)
    }

    async fn watch(&self, request: WatchRequest) -> Result<Watch, StoreError> {
        self.machine.watch(request)
    }

    async fn grant_lease(&self, ttl: Duration) -> Result<LeaseId, StoreError> {
        let lease = self.machine.next_lease();
        self.machine.apply_change(&Change::Grant(lease, ttl), self.environment.now());
        Ok(lease)
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.expire();
        self.machine.keep_alive(lease, self.environment.now())
    }

    async fn revoke_lease(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.expire();
        let _writing = self.writing.lock();
        let outcome = self.machine.stage().revoke(lease)?;
        self.machine.apply(&mut [outcome], self.environment.now());
        Ok(())
    }

    async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        self.machine.compact(revision)
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        self.expire();
        Ok(self.machine.status())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::Timestamp;

    #[tokio::test]
    async fn passes_the_conformance_suite() {
        crate::conformance::run(|| async {
            let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(1_000), 1);
            (MemoryStore::new(environment) as Arc<dyn Store>, simulation)
        })
        .await;
    }
}
