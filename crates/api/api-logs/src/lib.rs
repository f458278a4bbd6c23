//! CloudWatch Logs: groups, streams, events and finding them again.
//!
//! Rows of groups and streams are in the store, events are in [`Events`]. Old events are dropped by the controller
//! `logs_retention`; until it comes by, reading hides them. What this region has no machinery for (KMS keys, classes
//! other than STANDARD, deletion protection) is refused.

mod errors;
mod events;
mod filters;
mod lookup;
mod operations;
pub mod pattern;
mod permissions;
mod queries;
mod serve;
pub mod shapes;
mod token;

pub use events::{Events, EventsError};

use blob_store::BlobStore;
use filters::Filters;
use metric_store::Metrics;
use queries::Queries;
use std::sync::Arc;
use store::Tables;
use tokio::sync::Mutex;

/// The service behind the logs API; cheap to clone.
#[derive(Clone)]
pub struct LogsService {
    tables: Tables,
    events: Events,
    queries: Queries,
    filters: Filters,
    /// Held while something is counted against a limit and added.
    limits: Arc<Mutex<()>>,
}

impl LogsService {
    /// Opens the region's log events, which may be open only once. What metric filters find goes to `metrics`.
    pub async fn open(tables: Tables, blobs: BlobStore, metrics: Metrics) -> Result<Self, EventsError> {
        let events = Events::open(tables.clone(), blobs).await?;
        let queries = Queries::new(tables.clone(), events.clone());
        let filters = Filters::new(tables.clone(), metrics);
        Ok(Self { tables, events, queries, filters, limits: Arc::default() })
    }

    /// Stops the queries, and waits until no event is being moved. Every answered put is on disk without this, too.
    pub async fn close(&self) {
        self.queries.close().await;
        self.events.close().await;
    }
}
