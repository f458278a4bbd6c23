//! Finding records: newest first for people, oldest first for delivery.

use crate::batch::{Batch, Kinds};
use crate::block::{Block, BlockName};
use crate::event::StoredEvent;
use crate::event_id::EventIds;
use crate::journal::{Journal, Written};
use crate::{Attribute, AuditError};
use blob_store::BlobStore;
use environment::Timestamp;
use std::sync::Arc;

/// Parts that one search opens; it goes on with the next page.
const MOST_PARTS: usize = 256;

/// What to look for.
#[derive(Clone, Debug)]
pub struct Query {
    /// Account whose records they are.
    pub account: String,
    /// Only records that match this.
    pub matching: Option<Matching>,
    /// Earliest time.
    pub from: Timestamp,
    /// Latest time.
    pub until: Timestamp,
    /// Only records with smaller sequence numbers.
    pub before: Option<u64>,
    /// At most this many.
    pub limit: usize,
}

/// What a record must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matching {
    /// This text as an attribute.
    Text(Attribute, String),
    /// This id.
    Id(String),
    /// It changes something, or nothing.
    ReadOnly(bool),
}

/// A page of records, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The records.
    pub events: Vec<StoredEvent>,
    /// The next page has smaller sequence numbers than this; `None` when this is the last.
    pub next: Option<u64>,
}

/// The files there were when a search began.
#[derive(Clone)]
pub(crate) struct Shelves {
    /// Oldest first.
    pub(crate) blocks: Arc<Vec<BlockName>>,
    /// Oldest first, all newer than the blocks.
    pub(crate) journals: Vec<Arc<Journal>>,
}

/// One file.
enum Source<'a> {
    Block(Block<'a>),
    Journal(Arc<Journal>),
}

/// Where a file is.
#[derive(Clone, Copy)]
enum Place<'a> {
    Block(&'a BlockName),
    Journal(&'a Arc<Journal>),
}

impl Place<'_> {
    /// Opens it; `None` when retention has removed it.
    async fn open<'b>(&self, blobs: &'b BlobStore) -> Result<Option<Source<'b>>, AuditError> {
        match self {
            Self::Block(name) => Ok(Block::open(blobs, name).await?.map(Source::Block)),
            Self::Journal(journal) => Ok(Some(Source::Journal((*journal).clone()))),
        }
    }
}

impl Source<'_> {
    async fn candidates(&self, terms: &[u32]) -> Result<Vec<Written>, AuditError> {
        match self {
            Self::Block(block) => block.candidates(terms).await,
            Self::Journal(journal) => Ok(journal.candidates(terms)),
        }
    }

    async fn read(&self, part: &Written) -> Result<Option<Batch>, AuditError> {
        match self {
            Self::Block(block) => block.read(part.place).await,
            Self::Journal(journal) => journal.read(part.place).await,
        }
    }
}

/// A search in progress.
pub(crate) struct Search<'a> {
    pub(crate) blobs: &'a BlobStore,
    pub(crate) ids: EventIds,
    /// Records with smaller numbers are forgotten.
    pub(crate) since: u64,
    pub(crate) query: &'a Query,
}

impl Search<'_> {
    /// The next page.
    pub(crate) async fn run(&self, shelves: &Shelves) -> Result<Found, AuditError> {
        let terms = self.terms();
        let mut found = Found::default();
        let mut left = MOST_PARTS;
        let in_time = |name: &&BlockName| name.latest >= self.query.from && name.earliest <= self.query.until;
        let journals = shelves.journals.iter().rev().filter(|journal| self.reaches(journal.first));
        let blocks = shelves.blocks.iter().rev().filter(in_time).filter(|name| self.reaches(name.first));
        for place in journals.map(Place::Journal).chain(blocks.map(Place::Block)) {
            if let Some(source) = place.open(self.blobs).await?
                && self.source(&source, &terms, &mut found, &mut left).await?
            {
                return Ok(found);
            }
        }
        Ok(found)
    }

    /// Whether a file whose first record has this number can have any that is wanted.
    fn reaches(&self, first: u64) -> bool {
        self.query.before.is_none_or(|before| first < before)
    }

    fn terms(&self) -> Vec<u32> {
        let mut terms = vec![Attribute::Account.term(&self.query.account)];
        if let Some(Matching::Text(attribute, text)) = &self.query.matching {
            terms.push(attribute.term(text));
        }
        terms
    }

    /// Searches a file backwards; true when the page is full.
    async fn source(
        &self,
        source: &Source<'_>,
        terms: &[u32],
        found: &mut Found,
        left: &mut usize,
    ) -> Result<bool, AuditError> {
        for part in source.candidates(terms).await?.iter().rev().filter(|part| self.may_have(part)) {
            if *left == 0 {
                found.next = Some(part.summary.end());
                return Ok(true);
            }
            *left -= 1;
            if let Some(batch) = source.read(part).await?
                && self.batch(&batch, found)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn may_have(&self, part: &Written) -> bool {
        let summary = part.summary;
        let kind = match self.query.matching {
            Some(Matching::ReadOnly(true)) => Kinds::READ_ONLY,
            Some(Matching::ReadOnly(false)) => Kinds::WRITE,
            _ => Kinds::MANAGEMENT,
        };
        summary.kinds.0 & kind != 0
            && summary.kinds.0 & Kinds::MANAGEMENT != 0
            && summary.latest >= self.query.from
            && summary.earliest <= self.query.until
            && summary.end() > self.since
            && self.reaches(summary.first)
    }

    fn batch(&self, batch: &Batch, found: &mut Found) -> bool {
        let query = self.query;
        let Some(account) = batch.find(Attribute::Account, &query.account) else { return false };
        let text = match &query.matching {
            Some(Matching::Text(attribute, text)) => match batch.find(*attribute, text) {
                Some(number) => Some((*attribute, number)),
                None => return false,
            },
            _ => None,
        };
        let read_only = match query.matching {
            Some(Matching::ReadOnly(wanted)) => Some(wanted),
            _ => None,
        };
        let summary = batch.summary();
        for index in (0..summary.count as usize).rev() {
            let number = summary.first + index as u64;
            let matches = number >= self.since
                && query.before.is_none_or(|before| number < before)
                && (query.from..=query.until).contains(&batch.time(index))
                && !batch.is_data(index)
                && batch.has(index, Attribute::Account, account)
                && text.is_none_or(|(attribute, number)| batch.has(index, attribute, number))
                && read_only.is_none_or(|wanted| batch.is_read_only(index) == wanted);
            if !matches {
                continue;
            }
            if found.events.len() == query.limit {
                found.next = found.events.last().map(|last| last.sequence);
                return true;
            }
            found.events.push(batch.stored(index, self.ids));
        }
        false
    }
}

/// Reads all records of an account from a number on, oldest first: at most `most`, and those of one more part. The
/// answer says where to go on.
pub(crate) async fn forward(
    blobs: &BlobStore,
    ids: EventIds,
    shelves: &Shelves,
    account: &str,
    range: std::ops::Range<u64>,
    most: usize,
) -> Result<(Vec<StoredEvent>, u64), AuditError> {
    let term = [Attribute::Account.term(account)];
    let mut events = Vec::new();
    let mut left = MOST_PARTS;
    let blocks = shelves.blocks.iter().filter(|name| name.end > range.start && name.first < range.end);
    let journals = shelves.journals.iter().filter(|log| log.end() > range.start && log.first < range.end);
    for place in blocks.map(Place::Block).chain(journals.map(Place::Journal)) {
        let Some(source) = place.open(blobs).await? else { continue };
        for part in source.candidates(&term).await? {
            if part.summary.end() <= range.start || part.summary.first >= range.end {
                continue;
            }
            if events.len() >= most || left == 0 {
                return Ok((events, part.summary.first.max(range.start)));
            }
            left -= 1;
            let Some(batch) = source.read(&part).await? else { continue };
            let Some(account) = batch.find(Attribute::Account, account) else { continue };
            for index in 0..part.summary.count as usize {
                if range.contains(&(part.summary.first + index as u64))
                    && batch.has(index, Attribute::Account, account)
                {
                    events.push(batch.stored(index, ids));
                }
            }
        }
    }
    Ok((events, range.end))
}

/// The record with a sequence number.
pub(crate) async fn one(
    blobs: &BlobStore,
    ids: EventIds,
    shelves: &Shelves,
    sequence: u64,
) -> Result<Option<StoredEvent>, AuditError> {
    let after = shelves.blocks.partition_point(|name| name.first <= sequence);
    let block = after.checked_sub(1).and_then(|index| shelves.blocks.get(index));
    let blocks = block.into_iter().filter(|name| sequence < name.end).map(Place::Block);
    let journals = shelves.journals.iter().filter(|journal| journal.first <= sequence);
    for place in blocks.chain(journals.map(Place::Journal)) {
        let Some(source) = place.open(blobs).await? else { continue };
        let parts = source.candidates(&[]).await?;
        let has = |part: &&Written| (part.summary.first..part.summary.end()).contains(&sequence);
        if let Some(part) = parts.iter().find(has)
            && let Some(batch) = source.read(part).await?
        {
            return Ok(Some(batch.stored((sequence - part.summary.first) as usize, ids)));
        }
    }
    Ok(None)
}
