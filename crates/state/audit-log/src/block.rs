//! Blocks: the records of one full journal segment in large compressed parts, with an index on disk.
//!
//! A block is a segment of records: its parts, the shards of its index, and last its directory. The name says which
//! records it has, from when to when, and where the directory is, so that listing a folder is enough to leave a block
//! alone. A search reads the directory, one shard for each term, and the parts that can have what is looked for.

use crate::AuditError;
use crate::batch::{Batch, Builder, Reader, Summary, put_summary, put_varint, read_summary};
use crate::journal::Written;
use blob_store::{BlobStore, Record};
use bytes::Bytes;
use environment::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Folder of the blocks.
pub(crate) const FOLDER: &str = "audit/blocks";
/// Records of a part.
const PART_RECORDS: u32 = 2048;
/// Bytes at which a part ends early.
const PART_BYTES: usize = 1024 * 1024;
/// Most bytes of a part when it is unpacked, for a file that lies about it.
const MOST_PART_BYTES: usize = 64 * 1024 * 1024;
/// Terms of a shard, about.
const SHARD_TERMS: usize = 2048;
/// Most shards of an index, as a power of two.
const MOST_SHARD_BITS: u32 = 8;
/// Bytes of an entry of a shard: the term and one bit for each part that has it.
const ENTRY: usize = 12;
/// zstd's fast end; the texts repeat so much that more brings little.
const LEVEL: i32 = 3;

/// What a block's name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockName {
    /// Sequence number of the first record.
    pub(crate) first: u64,
    /// The number after the last record's.
    pub(crate) end: u64,
    /// Earliest time of a record.
    pub(crate) earliest: Timestamp,
    /// Latest time of a record.
    pub(crate) latest: Timestamp,
    /// Where the directory is.
    pub(crate) directory: Record,
}

impl BlockName {
    /// Its full name in the blob store.
    pub(crate) fn path(&self) -> String {
        format!("{FOLDER}/{self}")
    }

    /// Size of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.directory.offset + u64::from(self.directory.length)
    }
}

impl fmt::Display for BlockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (earliest, latest) = (self.earliest.as_millis(), self.latest.as_millis());
        let Record { offset, length } = self.directory;
        write!(f, "{:016x}-{:x}-{earliest:x}-{latest:x}-{offset:x}-{length:x}", self.first, self.end)
    }
}

impl FromStr for BlockName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('-').map(|part| u64::from_str_radix(part, 16));
        let mut next = || parts.next().and_then(Result::ok).ok_or(());
        let (first, end, earliest, latest) = (next()?, next()?, next()?, next()?);
        let (offset, length) = (next()?, next()?);
        let length = u32::try_from(length).map_err(|_| ())?;
        // Times before the epoch are written as their bits.
        let time = |millis: u64| Timestamp::from_millis(millis as i64);
        let (earliest, latest) = (time(earliest), time(latest));
        Ok(Self { first, end, earliest, latest, directory: Record { offset, length } })
    }
}

/// A block as it is written.
pub(crate) struct Built {
    pub(crate) name: BlockName,
    pub(crate) records: Vec<Vec<u8>>,
}

/// Makes a block of the batches of a journal segment; `None` when it has no records.
pub(crate) fn build(journal: Vec<Bytes>) -> Option<Built> {
    let mut making = Making::default();
    let mut builder = Builder::new(0);
    let mut next = 0;
    for bytes in journal {
        let Some(batch) = Batch::decode(bytes) else { continue };
        if batch.summary().first != next {
            // A batch was lost; a part has no gap.
            making.part(&builder);
            builder.restart(batch.summary().first);
        }
        next = batch.summary().end();
        batch.visit(|event, request| {
            if builder.summary().count >= PART_RECORDS || builder.size() >= PART_BYTES {
                making.part(&builder);
                let next = builder.summary().end();
                builder.restart(next);
            }
            builder.push_with(event, request);
        });
    }
    making.part(&builder);
    making.finish()
}

#[derive(Default)]
struct Making {
    parts: Vec<Vec<u8>>,
    summaries: Vec<Summary>,
    /// For each term the parts that have it; part 64 shares the bit of part 0.
    terms: BTreeMap<u32, u64>,
}

impl Making {
    fn part(&mut self, builder: &Builder) {
        if builder.summary().count == 0 {
            return;
        }
        let bit = 1 << (self.parts.len() % 64);
        for term in builder.terms() {
            *self.terms.entry(term).or_default() |= bit;
        }
        let plain = builder.encode();
        // Compressing into memory cannot fail; a part that were left as it is would be read as no part.
        self.parts.push(zstd::bulk::compress(&plain, LEVEL).unwrap_or_default());
        self.summaries.push(builder.summary());
    }

    fn finish(self) -> Option<Built> {
        let (first, last) = (self.summaries.first()?, self.summaries.last()?);
        let (first, end) = (first.first, last.end());
        let earliest = self.summaries.iter().map(|summary| summary.earliest).min()?;
        let latest = self.summaries.iter().map(|summary| summary.latest).max()?;
        let bits = (self.terms.len() / SHARD_TERMS + 1).next_power_of_two().ilog2().min(MOST_SHARD_BITS);
        let mut shards = vec![Vec::new(); 1 << bits];
        for (term, parts) in &self.terms {
            let shard = &mut shards[shard_of(*term, bits)];
            shard.extend_from_slice(&term.to_le_bytes());
            shard.extend_from_slice(&parts.to_le_bytes());
        }
        let mut records = self.parts;
        records.extend(shards);
        let places = BlobStore::record_places(records.iter().map(Vec::len));
        let mut directory = Vec::new();
        put_varint(&mut directory, self.summaries.len() as u64);
        for (summary, place) in self.summaries.iter().zip(&places) {
            put_summary(&mut directory, summary);
            put_place(&mut directory, place);
        }
        directory.push(bits as u8);
        for place in &places[self.summaries.len()..] {
            put_place(&mut directory, place);
        }
        records.push(directory);
        let directory = *BlobStore::record_places(records.iter().map(Vec::len)).last()?;
        Some(Built { name: BlockName { first, end, earliest, latest, directory }, records })
    }
}

fn shard_of(term: u32, bits: u32) -> usize {
    // Shifting by all 32 bits is no shift.
    term.checked_shr(32 - bits).unwrap_or(0) as usize
}

fn put_place(out: &mut Vec<u8>, place: &Record) {
    put_varint(out, place.offset);
    put_varint(out, place.length.into());
}

/// A block that is read.
pub(crate) struct Block<'a> {
    blobs: &'a BlobStore,
    path: String,
    parts: Vec<Written>,
    shard_bits: u32,
    shards: Vec<Record>,
}

impl<'a> Block<'a> {
    /// Reads the directory; `None` when retention has removed the block.
    pub(crate) async fn open(blobs: &'a BlobStore, name: &BlockName) -> Result<Option<Self>, AuditError> {
        let path = name.path();
        let Some(bytes) = blobs.read_record(&path, name.directory).await? else { return Ok(None) };
        let Some((parts, shard_bits, shards)) = directory(&bytes) else {
            return Err(AuditError::Damaged(path));
        };
        Ok(Some(Self { blobs, path, parts, shard_bits, shards }))
    }

    /// The parts that may have records with all these terms.
    pub(crate) async fn candidates(&self, terms: &[u32]) -> Result<Vec<Written>, AuditError> {
        let mut mask = u64::MAX;
        for term in terms {
            mask &= self.parts_with(*term).await?;
        }
        let has = |index: usize| mask & (1 << (index % 64)) != 0;
        Ok(self.parts.iter().enumerate().filter(|(index, _)| has(*index)).map(|(_, part)| *part).collect())
    }

    async fn parts_with(&self, term: u32) -> Result<u64, AuditError> {
        let Some(place) = self.shards.get(shard_of(term, self.shard_bits)) else { return Ok(u64::MAX) };
        let Some(shard) = self.blobs.read_record(&self.path, *place).await? else { return Ok(0) };
        let (entries, _) = shard.as_chunks::<ENTRY>();
        let term_of = |entry: &[u8; ENTRY]| u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]);
        let Ok(found) = entries.binary_search_by_key(&term, term_of) else { return Ok(0) };
        let mut mask = [0; 8];
        mask.copy_from_slice(&entries[found][4..]);
        Ok(u64::from_le_bytes(mask))
    }

    /// Reads a part.
    pub(crate) async fn read(&self, place: Record) -> Result<Option<Batch>, AuditError> {
        let Some(packed) = self.blobs.read_record(&self.path, place).await? else { return Ok(None) };
        let damaged = || AuditError::Damaged(self.path.clone());
        let size = zstd::zstd_safe::get_frame_content_size(&packed).ok().flatten().unwrap_or_default();
        if size > MOST_PART_BYTES as u64 {
            return Err(damaged());
        }
        let plain = zstd::bulk::decompress(&packed, size as usize).map_err(|_| damaged())?;
        Batch::decode(plain.into()).map(Some).ok_or_else(damaged)
    }
}

type Directory = (Vec<Written>, u32, Vec<Record>);

fn directory(bytes: &[u8]) -> Option<Directory> {
    let mut reader = Reader(bytes);
    let count = reader.count()?;
    let place = |reader: &mut Reader<'_>| Some(Record { offset: reader.varint()?, length: reader.small()? });
    let mut parts = Vec::with_capacity(count);
    for _ in 0..count {
        parts.push(Written { summary: read_summary(&mut reader)?, place: place(&mut reader)? });
    }
    let bits = u32::from(reader.byte()?);
    if bits > MOST_SHARD_BITS {
        return None;
    }
    let shards = (0..1 << bits).map(|_| place(&mut reader)).collect::<Option<Vec<_>>>()?;
    Some((parts, bits, shards))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_a_block_holds() {
        let name = BlockName {
            first: 5,
            end: 99,
            earliest: Timestamp::from_millis(-1),
            latest: Timestamp::from_millis(1_700_000_000_000),
            directory: Record { offset: 1234, length: 56 },
        };
        assert_eq!(name.to_string().parse(), Ok(name));
        assert_eq!(name.bytes(), 1290);
        for bad in ["", "1-2-3-4-5", "1-2-3-4-5-x", "1-2-3-4-5-fffffffff"] {
            assert_eq!(bad.parse::<BlockName>(), Err(()), "{bad}");
        }
    }

    #[test]
    fn terms_are_spread_over_all_shards() {
        assert_eq!(shard_of(u32::MAX, 0), 0);
        assert_eq!((shard_of(u32::MAX, 8), shard_of(0, 8), shard_of(1 << 31, 1)), (255, 0, 1));
    }
}
