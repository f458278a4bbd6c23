//! Drops log events past their group's retention, and what deletions left behind.
//!
//! One key stands for the whole region: the work is a sweep once in a while, and nothing waits for it, because reading
//! hides expired events anyway. A block goes when its last event has expired.

mod apply;
mod observe;
mod plan;

use blob_store::{BlobError, BlobStore};
use reconcile::{Next, Reconciler};
use store::{StoreError, Tables};

/// The controller.
pub struct LogsRetention {
    tables: Tables,
    blobs: BlobStore,
}

/// Why a sweep failed.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// The rows failed.
    #[error("sweeping log rows: {0}")]
    Store(#[from] StoreError),
    /// The files failed.
    #[error("sweeping log events: {0}")]
    Blob(#[from] BlobError),
}

/// The region's only key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EveryGroup;

impl LogsRetention {
    /// Over the region's rows and files.
    pub fn new(tables: Tables, blobs: BlobStore) -> Self {
        Self { tables, blobs }
    }
}

impl Reconciler for LogsRetention {
    type Key = EveryGroup;
    type Error = RetentionError;

    async fn reconcile(&self, _: &EveryGroup) -> Result<Next, RetentionError> {
        let observed = observe::observe(&self.tables, &self.blobs).await?;
        let steps = plan::plan(&observed, self.tables.environment().now());
        apply::apply(&self.tables, &self.blobs, &steps).await?;
        Ok(Next::Settled)
    }

    async fn keys(&self) -> Result<Vec<EveryGroup>, RetentionError> {
        Ok(vec![EveryGroup])
    }
}

#[cfg(test)]
mod tests;
