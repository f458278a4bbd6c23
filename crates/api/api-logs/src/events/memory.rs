//! The events of one journal segment, by stream. They stay in memory until they are in blocks.

use super::Recent;
use super::batch::{self, Placed};
use parking_lot::Mutex;
use std::collections::HashMap;

/// The streams of one journal segment.
#[derive(Debug)]
pub struct Memory {
    /// Number of the segment.
    pub number: u64,
    streams: Mutex<HashMap<u64, Tail>>,
}

/// What a segment has of one stream.
#[derive(Clone, Debug)]
pub struct Tail {
    /// Key of the stream's row; empty until [`Memory::adopt`] when it was read from the journal.
    pub key: String,
    /// Its batches.
    pub batches: Vec<Placed>,
    /// Time of the earliest event.
    pub first: i64,
    /// Time of the latest event.
    pub last: i64,
    /// When the newest event arrived.
    pub ingestion: i64,
    /// Bytes of the events as CloudWatch counts them.
    pub bytes: u64,
}

impl Memory {
    /// For the segment with this number.
    pub fn new(number: u64) -> Self {
        Self { number, streams: Mutex::new(HashMap::new()) }
    }

    /// Takes a batch that is on disk, of the stream whose row has this key. One without events, or that is no batch,
    /// leaves nothing.
    pub fn insert(&self, placed: Placed, key: &str) {
        let Some(front) = batch::front(&mut placed.bytes.clone()) else { return };
        let Some((span, size)) = batch::span(&placed) else { return };
        let mut streams = self.streams.lock();
        let tail = streams.entry(front.stream).or_insert_with(|| Tail {
            key: key.to_owned(),
            batches: Vec::new(),
            first: span.start,
            last: span.end,
            ingestion: front.ingestion,
            bytes: 0,
        });
        tail.first = tail.first.min(span.start);
        tail.last = tail.last.max(span.end);
        tail.ingestion = tail.ingestion.max(front.ingestion);
        tail.bytes += size as u64;
        tail.batches.push(placed);
    }

    /// What there is of a stream.
    pub fn tail(&self, stream: u64) -> Option<Tail> {
        self.streams.lock().get(&stream).cloned()
    }

    /// What a reader must know of a stream without its events.
    pub fn recent(&self, stream: u64) -> Option<Recent> {
        let streams = self.streams.lock();
        streams.get(&stream).map(|tail| Recent {
            first: tail.first,
            last: tail.last,
            ingestion: tail.ingestion,
        })
    }

    /// Tells the streams that were read from the journal their rows; those without one were deleted and go.
    pub fn adopt(&self, keys: &HashMap<u64, String>) {
        self.streams.lock().retain(|stream, tail| {
            let key = keys.get(stream);
            if let Some(key) = key {
                tail.key.clone_from(key);
            }
            key.is_some()
        });
    }

    /// The streams, in order.
    pub fn streams(&self) -> Vec<u64> {
        let mut streams: Vec<u64> = self.streams.lock().keys().copied().collect();
        streams.sort_unstable();
        streams
    }

    /// Forgets a stream that was deleted.
    pub fn forget(&self, stream: u64) {
        self.streams.lock().remove(&stream);
    }
}
