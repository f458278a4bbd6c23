//! Reads the events of any number of streams in the order of their positions, forwards or backwards.
//!
//! Memory is bounded by the blocks that overlap in time: a block is opened when the order reaches its first event and
//! not before.

use super::EventsError;
use super::batch::{self, Event, Placed};
use super::position::Position;
use blob_store::BlobStore;
use resources::logs::BlockName;
use std::collections::BTreeMap;

/// Which way to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the earliest event on.
    Forward,
    /// From the latest event on.
    Backward,
}

/// Which events to read.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Earliest time.
    pub start: i64,
    /// Time that events are before.
    pub end: i64,
    /// Position that events come after.
    pub after: Option<Position>,
    /// Position that events come before.
    pub before: Option<Position>,
}

impl Window {
    fn holds(&self, position: Position) -> bool {
        (self.start..self.end).contains(&position.time)
            && self.after.is_none_or(|after| position > after)
            && self.before.is_none_or(|before| position < before)
    }

    fn touches(&self, first: i64, last: i64) -> bool {
        first < self.end
            && last >= self.start
            && self.after.is_none_or(|after| last >= after.time)
            && self.before.is_none_or(|before| first <= before.time)
    }
}

/// Events of one stream that lie together.
pub(super) struct Source {
    /// Which of the streams asked for.
    pub stream: usize,
    /// Time of the earliest event.
    pub first: i64,
    /// Time of the latest event.
    pub last: i64,
    /// Number of the journal segment they came by.
    pub segment: u64,
    /// Where they are.
    pub place: Place,
}

pub(super) enum Place {
    Memory(Vec<Placed>),
    /// In the block with this full name.
    Block(String),
}

impl Source {
    pub(super) fn block(stream: usize, folder: &str, name: &BlockName) -> Self {
        Self {
            stream,
            first: name.first.as_millis(),
            last: name.last.as_millis(),
            segment: name.segment,
            place: Place::Block(format!("{folder}/{name}")),
        }
    }
}

/// A merge in progress.
pub struct Reader {
    blobs: BlobStore,
    window: Window,
    direction: Direction,
    /// The next to open is the last.
    sources: Vec<Source>,
    open: BTreeMap<(Position, usize), Event>,
    scanned: usize,
}

impl Reader {
    pub(super) fn new(
        blobs: BlobStore,
        mut sources: Vec<Source>,
        window: Window,
        direction: Direction,
    ) -> Self {
        sources.retain(|source| window.touches(source.first, source.last));
        match direction {
            Direction::Forward => sources.sort_by_key(|source| std::cmp::Reverse(source.first)),
            Direction::Backward => sources.sort_by_key(|source| source.last),
        }
        Self { blobs, window, direction, sources, open: BTreeMap::new(), scanned: 0 }
    }

    /// The next event, and which of the streams asked for it belongs to.
    pub async fn next(&mut self) -> Result<Option<(usize, Event)>, EventsError> {
        while let Some(source) = self.sources.pop_if(|source| must_open(&self.open, self.direction, source)) {
            self.open(source).await?;
        }
        let next = match self.direction {
            Direction::Forward => self.open.pop_first(),
            Direction::Backward => self.open.pop_last(),
        };
        Ok(next.map(|((_, stream), event)| (stream, event)))
    }

    /// Bytes read so far.
    pub fn scanned(&self) -> usize {
        self.scanned
    }

    async fn open(&mut self, source: Source) -> Result<(), EventsError> {
        let batches = match source.place {
            Place::Memory(batches) => batches,
            // A block that retention removes meanwhile is as good as empty.
            Place::Block(name) => {
                let records = self.blobs.read_segment(&name).await?.unwrap_or_default();
                records.into_iter().flat_map(batch::decode_block).collect()
            }
        };
        for placed in batches {
            self.scanned += placed.bytes.len();
            batch::events(source.segment, &placed, |event| {
                if self.window.holds(event.position) {
                    self.open.insert((event.position, source.stream), event);
                }
            });
        }
        Ok(())
    }
}

/// An event of `source` may come before those that are open.
fn must_open(open: &BTreeMap<(Position, usize), Event>, direction: Direction, source: &mut Source) -> bool {
    match direction {
        Direction::Forward => open.first_key_value().is_none_or(|((next, _), _)| source.first <= next.time),
        Direction::Backward => open.last_key_value().is_none_or(|((next, _), _)| source.last >= next.time),
    }
}
