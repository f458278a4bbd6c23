//! Where log events live: a journal that all streams share, then blocks of one stream each.
//!
//! A put appends one record to the region's journal, so that hundreds of streams share a sync, and is answered when
//! that is on disk. When the journal's segment is full, another takes over; the streams of the full one are written
//! to blocks, their rows learn their new times, and the segment goes. Memory holds the events that are in no block
//! yet, which is bounded by the size of a segment.
//!
//! Promises: an answered put survives a crash; no event is seen twice or out of order, whether it lies in memory or
//! in a block; a deleted stream's events are gone. Blocks are written before their segment is removed, under names
//! that a second attempt repeats, so a crash between the two changes nothing.

pub mod batch;
mod memory;
pub mod position;
pub mod reader;

use batch::Placed;
use blob_store::{BlobError, BlobStore, Segment};
use environment::Timestamp;
use futures::{StreamExt, TryStreamExt, stream};
use memory::{Memory, Tail};
use parking_lot::RwLock;
use reader::{Direction, Place, Reader, Source, Window};
use resources::Stored;
use resources::logs::{BlockName, JOURNAL_FOLDER, LogGroup, LogStream, STREAMS_FOLDER};
use std::collections::HashMap;
use std::sync::Arc;
use store::{StoreError, Tables};
use tokio::sync::{Mutex, RwLock as AsyncRwLock};

/// Size at which the journal goes on in another segment.
const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;
/// Full segments that may wait to be written to blocks before puts wait for them.
const MOST_WAITING: usize = 3;
/// Streams that are written to blocks at the same time, so that they share syncs.
const MOVED_AT_ONCE: usize = 16;

/// A failure to keep or find events.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// The files failed.
    #[error("log events")]
    Blob(#[from] BlobError),
    /// The rows failed.
    #[error("log rows")]
    Store(#[from] StoreError),
}

/// What is known of a stream's events that its row does not tell yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recent {
    /// Time of the earliest event.
    pub first: i64,
    /// Time of the latest event.
    pub last: i64,
    /// When the newest event arrived.
    pub ingestion: i64,
}

/// The events of a region; cheap to clone.
#[derive(Clone)]
pub struct Events(Arc<Inner>);

struct Inner {
    tables: Tables,
    blobs: BlobStore,
    /// Held for reading while a put is on its way, so that no segment is closed under it.
    journal: AsyncRwLock<Journal>,
    /// Oldest first; the last belongs to the journal's open segment.
    memories: RwLock<Vec<Arc<Memory>>>,
    /// One writes blocks or deletes streams at a time.
    moving: Mutex<()>,
    segment_bytes: u64,
}

struct Journal {
    segment: Segment,
    memory: Arc<Memory>,
}

impl Events {
    /// Opens what is there and reads the journal.
    pub async fn open(tables: Tables, blobs: BlobStore) -> Result<Self, EventsError> {
        Self::open_with(tables, blobs, SEGMENT_BYTES).await
    }

    async fn open_with(tables: Tables, blobs: BlobStore, segment_bytes: u64) -> Result<Self, EventsError> {
        let names = blobs.list_segments(JOURNAL_FOLDER).await?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| number_of(name)).collect();
        if numbers.is_empty() {
            numbers.push(1);
        }
        let mut memories = Vec::new();
        let mut open = None;
        for number in numbers {
            let memory = Arc::new(Memory::new(number));
            let reader = memory.clone();
            let name = journal_name(number);
            let read = blobs.open_segment(&name, move |record, bytes| {
                let bytes = bytes::Bytes::copy_from_slice(bytes);
                reader.insert(Placed { offset: record.offset, bytes }, "");
            });
            open = Some(Journal { segment: read.await?, memory: memory.clone() });
            memories.push(memory);
        }
        // There is at least one number.
        let Some(journal) = open else { return Err(BlobError::Cancelled.into()) };
        if memories.iter().any(|memory| !memory.streams().is_empty()) {
            let rows = tables.list_all::<LogStream>("").await?;
            let keys = rows.iter().map(|row| (stream_number(row), row.key())).collect();
            for memory in &memories {
                memory.adopt(&keys);
            }
        }
        let events = Self(Arc::new(Inner {
            tables,
            blobs,
            journal: AsyncRwLock::new(journal),
            memories: RwLock::new(memories),
            moving: Mutex::new(()),
            segment_bytes,
        }));
        events.move_to_blocks().await?;
        Ok(events)
    }

    /// Adds events to a stream; they are on disk when this returns.
    pub async fn append<'a>(
        &self,
        stream: &LogStream,
        ingestion: Timestamp,
        events: impl ExactSizeIterator<Item = (i64, &'a str)> + Clone,
    ) -> Result<(), EventsError> {
        let number = stream_number(stream);
        let bytes = batch::encode(number, ingestion.as_millis(), events);
        let (appended, full, number) = {
            let journal = self.0.journal.read().await;
            let appended = journal.segment.append(&bytes).await.map(|record| {
                journal.memory.insert(Placed { offset: record.offset, bytes }, &stream.key());
            });
            // A segment whose write failed, as on a full disk, takes no more; another may.
            let full = appended.is_err() || journal.segment.size() >= self.0.segment_bytes;
            (appended, full, journal.memory.number)
        };
        if full {
            self.roll(number).await;
        }
        Ok(appended?)
    }

    /// What of a stream is not in its row yet.
    pub fn recent(&self, stream: &LogStream) -> Option<Recent> {
        let number = stream_number(stream);
        let memories = self.0.memories.read().clone();
        memories.iter().filter_map(|memory| memory.recent(number)).reduce(|a, b| Recent {
            first: a.first.min(b.first),
            last: a.last.max(b.last),
            ingestion: a.ingestion.max(b.ingestion),
        })
    }

    /// Starts reading streams.
    pub async fn read(
        &self,
        streams: &[Arc<LogStream>],
        window: Window,
        direction: Direction,
    ) -> Result<Reader, EventsError> {
        // Memory first: a block that appears after this is left out by its segment's number.
        let memories = self.0.memories.read().clone();
        let mut sources = Vec::new();
        for (index, stream) in streams.iter().enumerate() {
            let number = stream_number(stream);
            let mut segments = Vec::new();
            for memory in &memories {
                let Some(tail) = memory.tail(number) else { continue };
                segments.push(memory.number);
                let (first, last, segment) = (tail.first, tail.last, memory.number);
                sources.push(Source {
                    stream: index,
                    first,
                    last,
                    segment,
                    place: Place::Memory(tail.batches),
                });
            }
            let folder = stream_folder(&stream.id);
            for name in self.0.blobs.list_segments(&folder).await? {
                if let Some(name) = block_name(&name).filter(|name| !segments.contains(&name.segment)) {
                    sources.push(Source::block(index, &folder, &name));
                }
            }
        }
        Ok(Reader::new(self.0.blobs.clone(), sources, window, direction))
    }

    /// Removes all events of a stream whose row is gone already.
    pub async fn delete(&self, stream: &LogStream) -> Result<(), EventsError> {
        let _moving = self.0.moving.lock().await;
        let number = stream_number(stream);
        for memory in self.0.memories.read().iter() {
            memory.forget(number);
        }
        self.0.blobs.delete_segments(&stream_folder(&stream.id)).await?;
        Ok(())
    }

    /// Moves the events of full segments to blocks, and waits for that.
    pub async fn close(&self) {
        self.move_or_log().await;
    }

    /// Goes on in another segment if this one is still open, and moves full ones to blocks. A failure leaves things
    /// as they are; the next full segment tries again.
    async fn roll(&self, number: u64) {
        if let Err(error) = self.start_segment_after(number).await {
            tracing::error!(%error, "cannot start another segment of the log journal");
            return;
        }
        let events = self.clone();
        let moving = tokio::spawn(async move { events.move_or_log().await });
        if self.0.memories.read().len() > MOST_WAITING {
            // A task that moves events logs its own failure.
            let _ = moving.await;
        }
    }

    async fn move_or_log(&self) {
        if let Err(error) = self.move_to_blocks().await {
            tracing::error!(%error, "cannot move log events out of the journal");
        }
    }

    async fn start_segment_after(&self, number: u64) -> Result<(), EventsError> {
        let mut journal = self.0.journal.write().await;
        if journal.memory.number != number {
            return Ok(());
        }
        let memory = Arc::new(Memory::new(number + 1));
        let segment = self.0.blobs.open_segment(&journal_name(memory.number), |_, _| {}).await?;
        self.0.memories.write().push(memory.clone());
        *journal = Journal { segment, memory };
        Ok(())
    }

    /// Writes the streams of every full segment to blocks and removes the segment.
    async fn move_to_blocks(&self) -> Result<(), EventsError> {
        let _moving = self.0.moving.lock().await;
        loop {
            let full = {
                let memories = self.0.memories.read();
                if memories.len() < 2 { None } else { memories.first().cloned() }
            };
            let Some(memory) = full else { return Ok(()) };
            let moved: Vec<Option<(String, i64)>> = stream::iter(memory.streams())
                .map(|stream| self.move_stream(&memory, stream))
                .buffer_unordered(MOVED_AT_ONCE)
                .try_collect()
                .await?;
            let mut grown: HashMap<String, i64> = HashMap::new();
            for (group, bytes) in moved.into_iter().flatten() {
                *grown.entry(group).or_default() += bytes;
            }
            for (group, bytes) in grown {
                let grow = |group: &LogGroup| {
                    let stored_bytes = group.stored_bytes.saturating_add(bytes);
                    Ok::<_, StoreError>(Some(LogGroup { stored_bytes, ..group.clone() }))
                };
                self.0.tables.update(&group, grow).await?;
            }
            self.0.memories.write().retain(|other| other.number != memory.number);
            self.0.blobs.delete_segments(&journal_name(memory.number)).await?;
        }
    }

    /// Writes what a full segment has of a stream to a block. The answer is the key of its group and the bytes that
    /// were added to it.
    async fn move_stream(&self, memory: &Memory, stream: u64) -> Result<Option<(String, i64)>, EventsError> {
        let Some(tail) = memory.tail(stream) else { return Ok(None) };
        // Without its row, or with another of the same name, the stream was deleted.
        let row = self.0.tables.get::<LogStream>(&tail.key).await?;
        let Some(row) = row.filter(|row| stream_number(row) == stream) else { return Ok(None) };
        let name = BlockName {
            segment: memory.number,
            first: Timestamp::from_millis(tail.first),
            last: Timestamp::from_millis(tail.last),
            bytes: tail.bytes,
        };
        let name = format!("{}/{name}", stream_folder(&row.id));
        // There already, when a crash came between the blocks and the removal of the segment.
        let block = self.0.blobs.open_segment(&name, |_, _| {}).await?;
        let mut grown = 0;
        if block.size() == 0 {
            block.append(&batch::encode_block(&tail.batches)).await?;
            grown = tail.bytes as i64;
        }
        let advance = |row: &LogStream| Ok::<_, StoreError>(Some(advanced(row, &tail)));
        self.0.tables.update(&tail.key, advance).await?;
        Ok(Some((LogGroup::key_of(&row.account, &row.group_name), grown)))
    }
}

/// The row of a stream that knows of the events of `tail`.
fn advanced(row: &LogStream, tail: &Tail) -> LogStream {
    let at = Timestamp::from_millis;
    LogStream {
        first_event: Some(row.first_event.map_or(at(tail.first), |first| first.min(at(tail.first)))),
        last_event: row.last_event.max(Some(at(tail.last))),
        last_ingestion: row.last_ingestion.max(Some(at(tail.ingestion))),
        ..row.clone()
    }
}

/// The number of a stream in journals and event ids.
pub fn stream_number(stream: &LogStream) -> u64 {
    // Ids are made as 16 hexadecimal digits.
    u64::from_str_radix(&stream.id, 16).unwrap_or_default()
}

fn stream_folder(id: &str) -> String {
    format!("{STREAMS_FOLDER}/{id}")
}

fn journal_name(number: u64) -> String {
    format!("{JOURNAL_FOLDER}/{number:016x}")
}

fn number_of(name: &str) -> Option<u64> {
    u64::from_str_radix(name.rsplit('/').next()?, 16).ok()
}

fn block_name(name: &str) -> Option<BlockName> {
    name.rsplit('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests;
