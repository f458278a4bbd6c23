//! Segments that are written in one go and never appended to, and single records of segments that are complete.

use super::{HEADER, MOST_BYTES, Record, framed};
use crate::blobs::blocking;
use crate::{BlobError, BlobStore};
use bytes::Bytes;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Ends the name of a segment that is being written; a crash can leave one, which the next attempt replaces.
const UNFINISHED: &str = ".unfinished";

impl BlobStore {
    /// Writes a segment of these records. It appears whole and on disk under its name, or not at all; one that is
    /// there already is replaced.
    pub async fn write_segment(&self, name: &str, records: Vec<Vec<u8>>) -> Result<Vec<Record>, BlobError> {
        let path = self.segment_path(name)?;
        let unfinished = self.segment_path(&format!("{name}{UNFINISHED}"))?;
        blocking(move || {
            write(&path, &unfinished, &records).map_err(|error| BlobError::io("writing", &path, error))?;
            Ok(places(records.iter().map(Vec::len)))
        })
        .await
    }

    /// Where records of these lengths lie in a segment that [`BlobStore::write_segment`] makes of them.
    pub fn record_places(lengths: impl Iterator<Item = usize>) -> Vec<Record> {
        places(lengths)
    }

    /// One record of a segment that nobody appends to; `None` when there is no such segment.
    pub async fn read_record(&self, name: &str, record: Record) -> Result<Option<Bytes>, BlobError> {
        let path = self.segment_path(name)?;
        blocking(move || match File::open(&path).and_then(|file| read(&file, record)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(BlobError::io("reading", path, error)),
        })
        .await
    }
}

fn places(lengths: impl Iterator<Item = usize>) -> Vec<Record> {
    let mut end = 0;
    lengths
        .map(|length| {
            let offset = end + HEADER;
            end = offset + length as u64;
            Record { offset, length: length as u32 }
        })
        .collect()
}

fn write(path: &Path, unfinished: &Path, records: &[Vec<u8>]) -> io::Result<()> {
    if records.iter().any(|record| record.len() > MOST_BYTES) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    let mut file = io::BufWriter::new(File::create(unfinished)?);
    for record in records {
        file.write_all(&framed(record))?;
    }
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(unfinished, path)?;
    File::open(folder)?.sync_all()
}

/// The bytes of a record, if they are what was written.
fn read(file: &File, record: Record) -> io::Result<Bytes> {
    let start = record.offset.checked_sub(HEADER).ok_or(io::ErrorKind::InvalidInput)?;
    if record.length as usize > MOST_BYTES {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut framed = vec![0; HEADER as usize + record.length as usize];
    file.read_exact_at(&mut framed, start)?;
    let word = |at: usize| u32::from_le_bytes([framed[at], framed[at + 1], framed[at + 2], framed[at + 3]]);
    let (length, crc) = (word(0), word(4));
    let bytes = Bytes::from(framed).slice(HEADER as usize..);
    if length != record.length || crc32fast::hash(&bytes) != crc {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::Environment;

    #[tokio::test]
    async fn whole_segments_are_written_read_and_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = BlobStore::local(dir.path(), Environment::real()).expect("opens");
        let records = vec![b"one".to_vec(), Vec::new(), b"three".to_vec()];
        let places = store.write_segment("w/a", records.clone()).await.expect("writes");
        assert_eq!(places, BlobStore::record_places(records.iter().map(Vec::len)));
        for (place, content) in places.iter().zip(&records) {
            assert_eq!(store.read_record("w/a", *place).await.expect("reads").expect("is there"), content);
        }
        let all = store.read_segment("w/a").await.expect("reads").expect("is there");
        assert_eq!(all, records);
        assert_eq!(store.list_segments("w").await.expect("lists"), ["w/a"]);
        assert!(store.read_record("w/none", places[0]).await.expect("reads").is_none());

        store.write_segment("w/a", vec![b"other".to_vec()]).await.expect("replaces");
        assert!(store.read_record("w/a", places[0]).await.is_err(), "a record of the old one");
    }
}
