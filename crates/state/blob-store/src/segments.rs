//! Append-only segments: records that are on disk before their append is answered.
//!
//! A record is its length (4 bytes, little endian), the CRC-32 of its bytes, and its bytes. Appends that arrive while
//! a sync runs share the next one. A crash can only tear the end of a segment; opening cuts it off.

mod whole;

use crate::blobs::blocking;
use crate::{BlobError, BlobStore};
use bytes::Bytes;
use parking_lot::Mutex;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Bytes before each record.
const HEADER: u64 = 8;
/// Largest record.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Where a record lies in its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Position of its bytes.
    pub offset: u64,
    /// Number of its bytes.
    pub length: u32,
}

/// An open segment; cheap to clone. Each segment must be open only once.
#[derive(Clone)]
pub struct Segment(Arc<Inner>);

struct Inner {
    file: File,
    path: PathBuf,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    /// Where the next record goes.
    end: u64,
    waiting: Vec<Waiting>,
    /// A writer is running and will come back to look.
    writing: bool,
    /// A write failed; the end of the file is not known any more.
    broken: bool,
}

struct Waiting {
    bytes: Vec<u8>,
    record: Record,
    answer: oneshot::Sender<Result<Record, BlobError>>,
}

impl BlobStore {
    /// Opens or makes the segment called `name` (letters, digits, `-`, `_`, `.` and `/`), cutting off a torn tail.
    /// Every whole record is handed to `visit` in order.
    pub async fn open_segment(
        &self,
        name: &str,
        visit: impl FnMut(Record, &[u8]) + Send + 'static,
    ) -> Result<Segment, BlobError> {
        let path = self.segment_path(name)?;
        blocking(move || Segment::open(path, visit)).await
    }

    /// The whole records of a segment that nobody writes to any more; `None` when there is no such segment.
    pub async fn read_segment(&self, name: &str) -> Result<Option<Vec<Bytes>>, BlobError> {
        let path = self.segment_path(name)?;
        blocking(move || {
            let mut records = Vec::new();
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(BlobError::io("opening", path, error)),
            };
            scan(&file, |_, bytes| records.push(Bytes::copy_from_slice(bytes)))
                .map_err(|error| BlobError::io("reading", &path, error))?;
            Ok(Some(records))
        })
        .await
    }

    /// Names of the segments below a folder, in order.
    pub async fn list_segments(&self, folder: &str) -> Result<Vec<String>, BlobError> {
        let path = self.segment_path(folder)?;
        let folder = folder.trim_end_matches('/').to_owned();
        blocking(move || {
            let entries = match fs::read_dir(&path) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(BlobError::io("listing", path, error)),
            };
            let mut names: Vec<String> = entries
                .flatten()
                .filter_map(|entry| entry.file_name().into_string().ok())
                .map(|name| format!("{folder}/{name}"))
                .collect();
            names.sort_unstable();
            Ok(names)
        })
        .await
    }

    /// Removes a segment, or a folder of them; fine when there is none.
    pub async fn delete_segments(&self, name: &str) -> Result<(), BlobError> {
        let path = self.segment_path(name)?;
        blocking(move || {
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(BlobError::io("removing", path, error))
                }
                _ => Ok(()),
            }
        })
        .await
    }

    fn segment_path(&self, name: &str) -> Result<PathBuf, BlobError> {
        let plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        let path = self.0.root.join("segments").join(name);
        if name.trim_end_matches('/').split('/').all(plain) {
            Ok(path)
        } else {
            Err(BlobError::io("naming", path, io::Error::from(io::ErrorKind::InvalidInput)))
        }
    }
}

impl Segment {
    fn open(path: PathBuf, visit: impl FnMut(Record, &[u8])) -> Result<Self, BlobError> {
        let open = || -> io::Result<(File, u64)> {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
            let end = scan(&file, visit)?;
            if file.metadata()?.len() != end {
                file.set_len(end)?;
                file.sync_all()?;
            }
            if let Some(folder) = path.parent() {
                File::open(folder)?.sync_all()?;
            }
            Ok((file, end))
        };
        let (file, end) = open().map_err(|error| BlobError::io("opening", &path, error))?;
        Ok(Self(Arc::new(Inner { file, path, queue: Mutex::new(Queue { end, ..Queue::default() }) })))
    }

    /// Appends a record; on disk when this returns. Appends of several callers share a sync.
    pub async fn append(&self, content: &[u8]) -> Result<Record, BlobError> {
        let (answer, answered) = oneshot::channel();
        {
            let mut queue = self.0.queue.lock();
            if queue.broken || content.len() > MOST_BYTES {
                let source = io::Error::from(io::ErrorKind::InvalidInput);
                return Err(BlobError::io("appending to", &self.0.path, source));
            }
            // Bounded by MOST_BYTES above.
            let record = Record { offset: queue.end + HEADER, length: content.len() as u32 };
            queue.end = record.offset + content.len() as u64;
            queue.waiting.push(Waiting { bytes: framed(content), record, answer });
            if !queue.writing {
                queue.writing = true;
                let inner = self.0.clone();
                tokio::task::spawn_blocking(move || inner.write_waiting());
            }
        }
        answered.await.unwrap_or(Err(BlobError::Cancelled))
    }

    /// The bytes of a record.
    pub async fn read(&self, record: Record) -> Result<Bytes, BlobError> {
        let inner = self.0.clone();
        blocking(move || {
            let mut content = vec![0; record.length as usize];
            inner
                .file
                .read_exact_at(&mut content, record.offset)
                .map_err(|error| BlobError::io("reading", &inner.path, error))?;
            Ok(content.into())
        })
        .await
    }

    /// Size in bytes, records still being written included.
    pub fn size(&self) -> u64 {
        self.0.queue.lock().end
    }

    /// Where the segment lies on this machine.
    pub fn path(&self) -> &Path {
        &self.0.path
    }
}

impl Inner {
    fn write_waiting(&self) {
        loop {
            let batch = {
                let mut queue = self.queue.lock();
                if queue.waiting.is_empty() {
                    queue.writing = false;
                    return;
                }
                std::mem::take(&mut queue.waiting)
            };
            let written = self.write_batch(&batch);
            let mut batch = batch;
            if written.is_err() {
                batch.extend(self.take_back(&batch));
            }
            for waiting in batch {
                let answer = match &written {
                    Ok(()) => Ok(waiting.record),
                    Err(error) => {
                        Err(BlobError::io("appending to", &self.path, io::Error::from(error.kind())))
                    }
                };
                // A caller that went away wants no answer.
                let _ = waiting.answer.send(answer);
            }
        }
    }

    /// After a failed write, as on a full disk: cuts the file where it was sound, so that appending can go on once
    /// there is space. Records that wait were placed behind the failed ones, so they fail with them.
    fn take_back(&self, batch: &[Waiting]) -> Vec<Waiting> {
        let mut queue = self.queue.lock();
        if let Some(first) = batch.first() {
            queue.end = first.record.offset - HEADER;
        }
        queue.broken = self.file.set_len(queue.end).and_then(|()| self.file.sync_all()).is_err();
        std::mem::take(&mut queue.waiting)
    }

    fn write_batch(&self, batch: &[Waiting]) -> io::Result<()> {
        let Some(first) = batch.first() else { return Ok(()) };
        let joined: Vec<u8> = batch.iter().flat_map(|waiting| waiting.bytes.iter().copied()).collect();
        let mut file = &self.file;
        file.seek(SeekFrom::Start(first.record.offset - HEADER))?;
        file.write_all(&joined)?;
        self.file.sync_data()
    }
}

fn framed(content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(content.len() + HEADER as usize);
    bytes.extend_from_slice(&(content.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(content).to_le_bytes());
    bytes.extend_from_slice(content);
    bytes
}

/// Visits whole records from the start and returns where they end.
fn scan(file: &File, mut visit: impl FnMut(Record, &[u8])) -> io::Result<u64> {
    let size = file.metadata()?.len();
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    reader.seek(SeekFrom::Start(0))?;
    let mut end = 0;
    let mut content = Vec::new();
    while size - end >= HEADER {
        let mut header = [0u8; HEADER as usize];
        reader.read_exact(&mut header)?;
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        let crc = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
        if u64::from(length) > size - end - HEADER || length as usize > MOST_BYTES {
            break;
        }
        content.resize(length as usize, 0);
        reader.read_exact(&mut content)?;
        if crc32fast::hash(&content) != crc {
            break;
        }
        visit(Record { offset: end + HEADER, length }, &content);
        end += HEADER + u64::from(length);
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::Environment;

    async fn reopened(dir: &Path) -> (Segment, Vec<Vec<u8>>) {
        let store = BlobStore::local(dir, Environment::real()).expect("opens");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = seen.clone();
        let segment =
            store.open_segment("a/s", move |_, bytes| sink.lock().push(bytes.to_vec())).await.expect("opens");
        let seen = seen.lock().clone();
        (segment, seen)
    }

    #[tokio::test]
    async fn records_are_there_after_reopening() {
        let dir = tempfile::tempdir().expect("a directory");
        let (segment, _) = reopened(dir.path()).await;
        let writes = (0..100u32).map(|i| {
            let segment = segment.clone();
            async move { segment.append(&i.to_le_bytes()).await.expect("appends") }
        });
        let records = futures::future::join_all(writes).await;
        assert_eq!(&segment.read(records[7]).await.expect("reads")[..], 7u32.to_le_bytes());
        drop(segment);
        let (_, seen) = reopened(dir.path()).await;
        assert_eq!(seen, (0..100u32).map(|i| i.to_le_bytes().to_vec()).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn every_torn_tail_is_cut_off() {
        let dir = tempfile::tempdir().expect("a directory");
        let (segment, _) = reopened(dir.path()).await;
        segment.append(b"first").await.expect("appends");
        let whole = segment.size();
        segment.append(b"second record").await.expect("appends");
        let (path, full) = (segment.path().to_owned(), segment.size());
        drop(segment);
        let bytes = fs::read(&path).expect("reads");
        for cut in whole..full {
            fs::write(&path, &bytes[..cut as usize]).expect("cuts");
            let (segment, seen) = reopened(dir.path()).await;
            assert_eq!(seen, [b"first".to_vec()], "cut at {cut}");
            segment.append(b"again").await.expect("appends after a cut");
            drop(segment);
            assert_eq!(reopened(dir.path()).await.1.len(), 2);
        }
    }

    #[tokio::test]
    async fn names_stay_inside() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = BlobStore::local(dir.path(), Environment::real()).expect("opens");
        for bad in ["", "..", "a/../b", "/etc/passwd", "a//b", ".hidden"] {
            assert!(store.open_segment(bad, |_, _| {}).await.is_err(), "{bad}");
        }
        assert!(store.list_segments("none").await.expect("lists").is_empty());
        store.delete_segments("none").await.expect("deletes nothing");
    }
}
