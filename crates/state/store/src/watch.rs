//! Changes as watchers see them.

use crate::{KeyRange, KeyValue, Revision, StoreError};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Batches that may wait for a slow watcher before it is cut off.
const QUEUE: usize = 4096;

/// A change of one key.
#[derive(Clone, Debug)]
pub struct Event {
    /// The key.
    pub key: Arc<str>,
    /// What it is now; `None` when it was deleted.
    pub now: Option<Arc<KeyValue>>,
    /// What it was before; `None` when it was created.
    pub before: Option<Arc<KeyValue>>,
}

/// The changes of one transaction that a watcher asked for.
#[derive(Clone, Debug)]
pub struct WatchBatch {
    /// The transaction.
    pub revision: Revision,
    /// Its changes, in the order they were made.
    pub events: Vec<Event>,
}

/// A running watch. Dropping it ends it.
#[derive(Debug)]
pub struct Watch(mpsc::Receiver<WatchBatch>);

/// The store's end of a watch.
#[derive(Debug)]
pub(crate) struct Watcher {
    range: KeyRange,
    /// Changes before this revision were not asked for.
    from: Revision,
    sender: mpsc::Sender<WatchBatch>,
}

impl Watch {
    /// Waits for the next changes; after [`StoreError::WatchLost`] the watch is over.
    pub async fn next(&mut self) -> Result<WatchBatch, StoreError> {
        self.0.recv().await.ok_or(StoreError::WatchLost)
    }

    /// The next changes if they are there already.
    pub fn try_next(&mut self) -> Option<WatchBatch> {
        self.0.try_recv().ok()
    }
}

impl Watcher {
    /// A watch over `range` that begins at `from`, with the history given.
    pub(crate) fn new(
        range: KeyRange,
        from: Revision,
        history: impl Iterator<Item = WatchBatch>,
    ) -> (Self, Watch) {
        let history: Vec<WatchBatch> = history.collect();
        let (sender, receiver) = mpsc::channel(QUEUE + history.len());
        let watcher = Self { range, from, sender };
        for batch in &history {
            watcher.deliver(batch);
        }
        (watcher, Watch(receiver))
    }

    /// Hands over what the watcher asked for; false when it is gone or too slow and must be dropped.
    pub(crate) fn deliver(&self, batch: &WatchBatch) -> bool {
        let events: Vec<Event> =
            batch.events.iter().filter(|event| self.range.contains(&event.key)).cloned().collect();
        let asked = batch.revision >= self.from;
        if events.is_empty() || !asked {
            return !self.sender.is_closed();
        }
        self.sender.try_send(WatchBatch { revision: batch.revision, events }).is_ok()
    }
}
