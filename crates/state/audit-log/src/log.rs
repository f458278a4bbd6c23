//! The log: takes records from requests, writes them in batches, keeps the files within bounds.

use crate::batch::Builder;
use crate::block::{self, BlockName};
use crate::event::{Event, StoredEvent};
use crate::event_id::EventIds;
use crate::journal::{self, Journal};
use crate::search::{self, Found, Matching, Query, Search, Shelves};
use blob_store::{BlobError, BlobStore, Segment};
use environment::Environment;
use parking_lot::{Mutex, RwLock};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// How long a record of a call that changes something waits for others to be written with.
const GATHER: Duration = Duration::from_millis(20);
/// How long records of calls that only read wait.
const IDLE: Duration = Duration::from_millis(500);
/// Size of a batch at which it is written at once.
const BATCH_BYTES: usize = 256 * 1024;
/// Records of a batch at which it is written at once.
const BATCH_RECORDS: u32 = 8192;
/// Size of the open batch at which calls wait for the disk.
const MOST_WAITING: usize = 8 * 1024 * 1024;
/// Size at which the journal goes on in another segment.
const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;
/// Batches at which the journal goes on in another segment.
const SEGMENT_BATCHES: usize = 16 * 1024;
/// Time between two looks at what has expired.
const UPKEEP: Duration = Duration::from_secs(3600);
/// Segment with the random number of this region's event ids.
const IDS: &str = "audit/ids";
/// Segment with the numbers up to which records were forgotten; the last one counts.
const SINCE: &str = "audit/since";

/// A failure to keep or find records.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The files failed.
    #[error("audit records")]
    Blob(#[from] BlobError),
    /// A file is not what was written.
    #[error("the audit file {0} is damaged")]
    Damaged(String),
}

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Age at which records go.
    pub retention: Duration,
    /// Size of all files at which the oldest records go before their time.
    pub bytes: u64,
    /// Records of a journal segment, and so of a block.
    pub segment_records: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(90 * 24 * 3600),
            bytes: 8 * 1024 * 1024 * 1024,
            segment_records: 128 * 1024,
        }
    }
}

/// The records of a region; cheap to clone.
#[derive(Clone)]
pub struct AuditLog(Arc<Inner>);

struct Inner {
    environment: Environment,
    blobs: BlobStore,
    bounds: Bounds,
    ids: EventIds,
    /// Records with smaller numbers are forgotten.
    since: AtomicU64,
    open: Mutex<Open>,
    /// Tells the writer to look at the open batch.
    wake: Notify,
    /// Tells waiting calls that there is room again.
    room: Notify,
    /// Every record with a smaller number is on disk, or lost and counted.
    written: watch::Sender<u64>,
    lost: AtomicU64,
    blocks: RwLock<Arc<Vec<BlockName>>>,
    /// Oldest first; the last is being written to.
    journals: RwLock<Vec<Arc<Journal>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

struct Open {
    batch: Builder,
    /// Holds a record of a call that changed something.
    urgent: bool,
    /// Is to be written at once.
    now: bool,
    stopping: bool,
}

/// What the writer does next.
enum Next {
    Sleep,
    After(Duration),
    Write,
    Stop,
}

impl AuditLog {
    /// Opens what is there.
    pub async fn open(
        blobs: BlobStore,
        environment: Environment,
        bounds: Bounds,
    ) -> Result<Self, AuditError> {
        let ids = EventIds::new(region_number(&blobs, &environment).await?);
        let since = last_number(&blobs, SINCE).await?.1.unwrap_or_default();
        let mut blocks = Vec::new();
        for path in blobs.list_segments(block::FOLDER).await? {
            match path.rsplit('/').next().unwrap_or_default().parse::<BlockName>() {
                Ok(name) => blocks.push(name),
                // What a crash left unfinished.
                Err(()) => blobs.delete_segments(&path).await?,
            }
        }
        blocks.sort_unstable_by_key(|name| name.first);
        let end = blocks.last().map_or(0, |name| name.end);
        let mut journals = Vec::new();
        let names = blobs.list_segments(journal::FOLDER).await?;
        for first in names.iter().filter_map(|name| Journal::number(name)) {
            if first < end {
                // Its block is written; a crash came before it was removed.
                blobs.delete_segments(&Journal::name_of(first)).await?;
            } else {
                journals.push(Arc::new(Journal::open(&blobs, first).await?));
            }
        }
        if journals.is_empty() {
            journals.push(Arc::new(Journal::open(&blobs, end).await?));
        }
        let next = journals.last().map_or(end, |journal| journal.end());
        let open = Open { batch: Builder::new(next), urgent: false, now: false, stopping: false };
        let log = Self(Arc::new(Inner {
            environment,
            blobs,
            bounds,
            ids,
            since: AtomicU64::new(since),
            open: Mutex::new(open),
            wake: Notify::new(),
            room: Notify::new(),
            written: watch::Sender::new(next),
            lost: AtomicU64::new(0),
            blocks: RwLock::new(Arc::new(blocks)),
            journals: RwLock::new(journals),
            writer: Mutex::new(None),
        }));
        let writer = log.0.clone();
        *log.0.writer.lock() = Some(tokio::spawn(async move { writer.write_until_stopped().await }));
        Ok(log)
    }

    /// Takes a record. Never waits: what it costs is copying the record's new texts.
    pub fn record(&self, event: &Event<'_>) {
        let mut open = self.0.open.lock();
        open.batch.push(event);
        let first = open.batch.summary().count == 1;
        let urgent = !event.read_only && !event.data && !open.urgent;
        open.urgent |= urgent;
        let full =
            !open.now && (open.batch.size() >= BATCH_BYTES || open.batch.summary().count >= BATCH_RECORDS);
        open.now |= full;
        drop(open);
        if first || urgent || full {
            self.0.wake.notify_one();
        }
    }

    /// Waits while more records wait for the disk than memory should hold; returns at once otherwise. Called before a
    /// call is served, so that a slow disk slows calls down and loses none.
    pub async fn room(&self) {
        while self.is_full() {
            let room = self.0.room.notified();
            // The writer may have made room before `room` was there to hear of it.
            if self.is_full() {
                room.await;
            }
        }
    }

    fn is_full(&self) -> bool {
        self.0.open.lock().batch.size() >= MOST_WAITING
    }

    /// Waits until every record taken so far is on disk; the answer is the number after the last of them.
    pub async fn flush(&self) -> u64 {
        let wanted = {
            let mut open = self.0.open.lock();
            open.now |= open.batch.summary().count > 0;
            open.batch.summary().end()
        };
        self.0.wake.notify_one();
        // Fails only when the sender is gone, and `self` holds it.
        let _ = self.0.written.subscribe().wait_for(|written| *written >= wanted).await;
        wanted
    }

    /// Forgets every record taken so far. Nothing finds them any more; their files go as they are rewritten.
    pub async fn clear(&self) -> Result<(), AuditError> {
        let end = self.flush().await;
        let (segment, _) = last_number(&self.0.blobs, SINCE).await?;
        segment.append(&end.to_le_bytes()).await?;
        self.0.since.fetch_max(end, Ordering::Relaxed);
        self.0.drop_expired().await;
        Ok(())
    }

    /// Writes what is left and ends the writer. Nothing is recorded after this.
    pub async fn close(&self) {
        self.0.open.lock().stopping = true;
        self.0.wake.notify_one();
        let writer = self.0.writer.lock().take();
        if let Some(writer) = writer
            && writer.await.is_err()
        {
            tracing::error!("the writer of audit records ended badly");
        }
    }

    /// Records that could not be written since the start.
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// A page of the records that match, newest first; whatever was recorded before this is among them.
    pub async fn search(&self, query: &Query) -> Result<Found, AuditError> {
        self.flush().await;
        let oldest = self.0.environment.now() - self.0.bounds.retention;
        let query = Query { from: query.from.max(oldest), ..query.clone() };
        let shelves = self.0.shelves();
        let since = self.0.since.load(Ordering::Relaxed);
        if let Some(Matching::Id(id)) = &query.matching {
            let Some(sequence) = self.0.ids.sequence(id) else { return Ok(Found::default()) };
            let event = search::one(&self.0.blobs, self.0.ids, &shelves, sequence).await?;
            let visible = event.filter(|event| {
                event.account == query.account
                    && !event.data
                    && sequence >= since
                    && (query.from..=query.until).contains(&event.time)
                    && query.before.is_none_or(|before| sequence < before)
            });
            return Ok(Found { events: visible.into_iter().collect(), next: None });
        }
        Search { blobs: &self.0.blobs, ids: self.0.ids, since, query: &query }.run(&shelves).await
    }

    /// Records of an account by their numbers, oldest first: about `most`, and the number to go on from. Data events
    /// are among them.
    pub async fn range(
        &self,
        account: &str,
        range: Range<u64>,
        most: usize,
    ) -> Result<(Vec<StoredEvent>, u64), AuditError> {
        let shelves = self.0.shelves();
        let range = range.start.max(self.0.since.load(Ordering::Relaxed))..range.end;
        search::forward(&self.0.blobs, self.0.ids, &shelves, account, range, most).await
    }
}

impl Inner {
    fn shelves(&self) -> Shelves {
        // Journals first: a block that replaces one later is not in the list then, and its journal can still be read.
        let journals = self.journals.read().clone();
        let blocks = self.blocks.read().clone();
        let first = journals.first().map_or(u64::MAX, |journal| journal.first);
        let end = blocks.partition_point(|name| name.first < first);
        let blocks = if end == blocks.len() { blocks } else { Arc::new(blocks[..end].to_vec()) };
        Shelves { blocks, journals }
    }

    async fn write_until_stopped(self: Arc<Self>) {
        let mut spare = Builder::new(0);
        let mut rewriting: Option<JoinHandle<()>> = Some(self.start_rewriting());
        loop {
            match self.next() {
                Next::Stop => break,
                Next::Write => {
                    spare = self.write(spare).await;
                    if self.journal_is_full() && self.start_journal(spare.summary().end()).await {
                        if let Some(running) = rewriting.take() {
                            // A task that rewrites logs its own failure.
                            let _ = running.await;
                        }
                        rewriting = Some(self.start_rewriting());
                    }
                }
                Next::After(wait) => tokio::select! {
                    () = self.environment.sleep(wait) => self.open.lock().now = true,
                    () = self.wake.notified() => {}
                },
                Next::Sleep => tokio::select! {
                    () = self.environment.sleep(UPKEEP) => self.drop_expired().await,
                    () = self.wake.notified() => {}
                },
            }
        }
        if let Some(running) = rewriting {
            let _ = running.await;
        }
    }

    fn next(&self) -> Next {
        let open = self.open.lock();
        match (open.batch.summary().count > 0, open.stopping) {
            (false, true) => Next::Stop,
            (false, false) => Next::Sleep,
            (true, stopping) if stopping || open.now => Next::Write,
            (true, _) if open.urgent => Next::After(GATHER),
            (true, _) => Next::After(IDLE),
        }
    }

    /// Writes the open batch and puts `spare` in its place. A batch that cannot be written is tried once more in
    /// another segment; after that its records are lost, and counted.
    async fn write(&self, mut spare: Builder) -> Builder {
        let batch = {
            let mut open = self.open.lock();
            spare.restart(open.batch.summary().end());
            (open.urgent, open.now) = (false, false);
            std::mem::replace(&mut open.batch, spare)
        };
        self.room.notify_waiters();
        let (summary, bytes, terms) = (batch.summary(), batch.encode(), batch.terms());
        let mut written = self.journal().append(&bytes, summary, &terms).await;
        if written.is_err() && self.start_journal(summary.first).await {
            written = self.journal().append(&bytes, summary, &terms).await;
        }
        if let Err(error) = written {
            let lost = u64::from(summary.count);
            let total = self.lost.fetch_add(lost, Ordering::Relaxed) + lost;
            tracing::error!(error = &error as &dyn std::error::Error, lost, total, "audit records are lost");
        }
        self.written.send_replace(summary.end());
        batch
    }

    fn journal(&self) -> Arc<Journal> {
        let journals = self.journals.read();
        // There is one from the start, and the last one is never taken away.
        journals.last().cloned().expect("a journal is open")
    }

    fn journal_is_full(&self) -> bool {
        let journal = self.journal();
        journal.bytes() >= SEGMENT_BYTES
            || journal.batches() >= SEGMENT_BATCHES
            || journal.records() >= self.bounds.segment_records
    }

    /// Goes on in another segment, whose first record will have this number; false when that fails.
    async fn start_journal(&self, first: u64) -> bool {
        if first == self.journal().first {
            // Another would have the name of this one. The next batch can have one of its own.
            return false;
        }
        match Journal::open(&self.blobs, first).await {
            Ok(journal) => {
                self.journals.write().push(Arc::new(journal));
                true
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot start an audit segment");
                false
            }
        }
    }

    fn start_rewriting(self: &Arc<Self>) -> JoinHandle<()> {
        let inner = self.clone();
        tokio::spawn(async move {
            if let Err(error) = inner.rewrite().await {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "cannot rewrite audit records; they stay where they are");
            }
            inner.drop_expired().await;
        })
    }

    /// Makes blocks of all full journal segments. A block is on disk, under a name that a second attempt repeats,
    /// before its segment goes.
    async fn rewrite(&self) -> Result<(), AuditError> {
        loop {
            let full = {
                let journals = self.journals.read();
                if journals.len() < 2 { None } else { journals.first().cloned() }
            };
            let Some(journal) = full else { return Ok(()) };
            let path = Journal::name_of(journal.first);
            let batches = self.blobs.read_segment(&path).await?.unwrap_or_default();
            let built = tokio::task::spawn_blocking(move || block::build(batches)).await;
            let built = built.map_err(|_| BlobError::Cancelled)?;
            if let Some(built) = built {
                self.blobs.write_segment(&built.name.path(), built.records).await?;
                Arc::make_mut(&mut *self.blocks.write()).push(built.name);
            }
            self.journals.write().remove(0);
            self.blobs.delete_segments(&path).await?;
        }
    }

    /// Removes the blocks that are too old, and the oldest while there are too many bytes.
    async fn drop_expired(&self) {
        let oldest = self.environment.now() - self.bounds.retention;
        let since = self.since.load(Ordering::Relaxed);
        let blocks = self.blocks.read().clone();
        let mut bytes: u64 = blocks.iter().map(BlockName::bytes).sum();
        for name in blocks.iter() {
            let wanted = name.latest >= oldest && name.end > since;
            if wanted && bytes <= self.bounds.bytes {
                break;
            }
            if wanted {
                tracing::warn!(block = %name, "audit records are dropped early: they take too much space");
            }
            bytes -= name.bytes();
            Arc::make_mut(&mut *self.blocks.write()).retain(|kept| kept != name);
            if let Err(error) = self.blobs.delete_segments(&name.path()).await {
                tracing::warn!(%error, "cannot remove expired audit records");
            }
        }
    }
}

/// The random number of this region's event ids, made at the first start.
async fn region_number(blobs: &BlobStore, environment: &Environment) -> Result<u64, AuditError> {
    let (segment, found) = last_number(blobs, IDS).await?;
    if let Some(number) = found {
        return Ok(number);
    }
    let mut number = [0; 8];
    environment.fill_random(&mut number);
    segment.append(&number).await?;
    Ok(u64::from_le_bytes(number))
}

/// A segment of numbers, and the last of them.
async fn last_number(blobs: &BlobStore, name: &str) -> Result<(Segment, Option<u64>), AuditError> {
    let found = Arc::new(Mutex::new(None));
    let reading = found.clone();
    let segment = blobs
        .open_segment(name, move |_, bytes| *reading.lock() = bytes.try_into().ok().map(u64::from_le_bytes))
        .await?;
    let last = *found.lock();
    Ok((segment, last))
}

#[cfg(test)]
mod tests;
