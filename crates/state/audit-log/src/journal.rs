//! The journal: batches as they are written, with what finding records in them needs, in memory.

use crate::AuditError;
use crate::batch::{Batch, Summary};
use blob_store::{BlobStore, Record, Segment};
use bytes::Bytes;
use parking_lot::RwLock;
use std::sync::Arc;

/// Folder of the journal's segments.
pub(crate) const FOLDER: &str = "audit/journal";

/// One segment of the journal. Its name is the sequence number of its first record.
pub(crate) struct Journal {
    pub(crate) first: u64,
    segment: Segment,
    index: RwLock<Index>,
}

#[derive(Default)]
struct Index {
    batches: Vec<Written>,
    /// Term and number of the batch that has it, in the order of the batches.
    postings: Vec<(u32, u32)>,
    records: u64,
}

/// A batch that is on disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) summary: Summary,
    pub(crate) place: Record,
}

impl Index {
    fn add(&mut self, place: Record, summary: Summary, terms: &[u32]) {
        let number = self.batches.len() as u32;
        self.batches.push(Written { summary, place });
        self.postings.extend(terms.iter().map(|term| (*term, number)));
        self.records += u64::from(summary.count);
    }
}

impl Journal {
    /// Name of the segment whose first record has this number.
    pub(crate) fn name_of(first: u64) -> String {
        format!("{FOLDER}/{first:016x}")
    }

    /// The number in a name.
    pub(crate) fn number(name: &str) -> Option<u64> {
        u64::from_str_radix(name.rsplit('/').next()?, 16).ok()
    }

    /// Opens or makes a segment and reads what is in it.
    pub(crate) async fn open(blobs: &BlobStore, first: u64) -> Result<Self, AuditError> {
        let index = Arc::new(RwLock::new(Index::default()));
        let reading = index.clone();
        let segment = blobs
            .open_segment(&Self::name_of(first), move |place, bytes| {
                // Whole records have the right checksum; one that is no batch was written by another version.
                if let Some(batch) = Batch::decode(Bytes::copy_from_slice(bytes)) {
                    reading.write().add(place, batch.summary(), &batch.terms());
                }
            })
            .await?;
        let index = RwLock::new(std::mem::take(&mut *index.write()));
        Ok(Self { first, segment, index })
    }

    /// Adds a batch; on disk when this returns.
    pub(crate) async fn append(
        &self,
        bytes: &[u8],
        summary: Summary,
        terms: &[u32],
    ) -> Result<(), AuditError> {
        let place = self.segment.append(bytes).await?;
        self.index.write().add(place, summary, terms);
        Ok(())
    }

    /// The number after the last record's.
    pub(crate) fn end(&self) -> u64 {
        self.index.read().batches.last().map_or(self.first, |batch| batch.summary.end())
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.segment.size()
    }

    pub(crate) fn records(&self) -> u64 {
        self.index.read().records
    }

    pub(crate) fn batches(&self) -> usize {
        self.index.read().batches.len()
    }

    /// The batches that may have records with all these terms.
    pub(crate) fn candidates(&self, terms: &[u32]) -> Vec<Written> {
        let index = self.index.read();
        let mut hits = vec![0usize; index.batches.len()];
        for (term, number) in index.postings.iter().filter(|(term, _)| terms.contains(term)) {
            // A batch names a term once for every text with this hash; counting each once keeps the sum right.
            let bit = terms.iter().position(|wanted| wanted == term).unwrap_or_default();
            hits[*number as usize] |= 1 << bit;
        }
        let all = (1usize << terms.len()) - 1;
        let found = index.batches.iter().zip(hits).filter(|(_, hits)| *hits == all);
        found.map(|(batch, _)| *batch).collect()
    }

    /// Reads a batch.
    pub(crate) async fn read(&self, place: Record) -> Result<Option<Batch>, AuditError> {
        Ok(Batch::decode(self.segment.read(place).await?))
    }
}
