//! Whole blobs: stored under their digest, read in ranges.

use crate::bucket::Bucket;
use crate::directory::Directory;
use crate::uploads::OpenUploads;
use crate::{BlobError, Digest};
use bytes::Bytes;
use environment::{Environment, Timestamp};
use futures::stream::{BoxStream, StreamExt};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Blobs, uploads and segments; cheap to clone.
#[derive(Clone)]
pub struct BlobStore(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) root: PathBuf,
    pub(crate) environment: Environment,
    pub(crate) uploads: OpenUploads,
    pub(crate) place: Place,
}

/// Where whole blobs lie. Uploads and segments are files of this machine in any case.
pub(crate) enum Place {
    Directory(Directory),
    Bucket(Bucket),
}

/// Which bytes of a blob to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobRange {
    /// All of them.
    All,
    /// From `start` up to and without `end`, or to the end of the blob when it is `None` or too far.
    Bytes {
        /// First byte.
        start: u64,
        /// Byte after the last.
        end: Option<u64>,
    },
    /// The last bytes, as many as there are of this number.
    Last(u64),
}

/// A blob being read.
pub struct ReadBlob {
    /// Size of the whole blob.
    pub size: u64,
    /// First byte of the range.
    pub start: u64,
    /// Number of bytes in the range.
    pub length: u64,
    /// The bytes of the range.
    pub stream: BoxStream<'static, Result<Bytes, BlobError>>,
}

/// A range of a blob that lies in a file of this machine.
pub struct OpenedBlob {
    /// The file, which stays what it is even when the blob is deleted.
    pub file: File,
    /// Size of the whole blob.
    pub size: u64,
    /// First byte of the range.
    pub start: u64,
    /// Number of bytes in the range.
    pub length: u64,
}

/// A blob as the collector of unused ones sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlob {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// When it was stored or last stored again.
    pub stored_at: Timestamp,
}

/// What reading a blob again says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Its bytes have its digest.
    Sound,
    /// Its bytes have another one, or cannot be read to the end.
    Damaged,
    /// There is no such blob.
    Missing,
}

impl BlobRange {
    /// The first byte and the byte after the last, in a blob of `size` bytes.
    pub(crate) fn within(self, size: u64) -> Result<(u64, u64), BlobError> {
        let (start, end) = match self {
            Self::All => return Ok((0, size)),
            Self::Bytes { start, end } => (start, end.unwrap_or(size).min(size)),
            Self::Last(count) => (size.saturating_sub(count), size),
        };
        // An empty blob has no byte that a range could name.
        if start >= end { Err(BlobError::RangeNotSatisfiable { start, size }) } else { Ok((start, end)) }
    }
}

impl BlobStore {
    /// Opens or makes a store in a directory of this machine. Blocking, but only for a moment.
    pub fn local(root: &Path, environment: Environment) -> Result<Self, BlobError> {
        let directory = Directory::open(root)?;
        Self::open(root, environment, Place::Directory(directory))
    }

    /// A store whose whole blobs lie in a bucket, while uploads and segments stay in a directory of this machine.
    pub fn in_bucket(root: &Path, environment: Environment, bucket: Bucket) -> Result<Self, BlobError> {
        Self::open(root, environment, Place::Bucket(bucket))
    }

    fn open(root: &Path, environment: Environment, place: Place) -> Result<Self, BlobError> {
        for folder in ["uploads", "segments"] {
            let path = root.join(folder);
            fs::create_dir_all(&path).map_err(|error| BlobError::io("creating", path, error))?;
        }
        let root = root.to_owned();
        Ok(Self(Arc::new(Inner { root, environment, uploads: OpenUploads::default(), place })))
    }

    /// Size of a blob, or `None` when there is none.
    pub async fn stat(&self, digest: &Digest) -> Result<Option<u64>, BlobError> {
        match &self.0.place {
            Place::Directory(directory) => directory.stat(digest).await,
            Place::Bucket(bucket) => bucket.stat(digest).await,
        }
    }

    /// Reads a range of a blob as a stream of large chunks.
    pub async fn read(&self, digest: &Digest, range: BlobRange) -> Result<ReadBlob, BlobError> {
        match &self.0.place {
            Place::Directory(directory) => directory.read(digest, range).await,
            Place::Bucket(bucket) => bucket.read(digest, range).await,
        }
    }

    /// Opens a range of a blob for who reads files itself; `None` when blobs lie in a bucket.
    pub async fn open_file(
        &self,
        digest: &Digest,
        range: BlobRange,
    ) -> Result<Option<OpenedBlob>, BlobError> {
        match &self.0.place {
            Place::Directory(directory) => directory.open_file(digest, range).await.map(Some),
            Place::Bucket(_) => Ok(None),
        }
    }

    /// The content of a blob that is known to be small, such as a configuration; not more than `limit` bytes of it.
    pub async fn read_all(&self, digest: &Digest, limit: u64) -> Result<Bytes, BlobError> {
        let mut blob = self.read(digest, BlobRange::All).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut content = Vec::with_capacity(usize::try_from(blob.length).unwrap_or(0).min(limit));
        while content.len() < limit
            && let Some(chunk) = blob.stream.next().await
        {
            content.extend_from_slice(&chunk?);
        }
        content.truncate(limit);
        Ok(content.into())
    }

    /// Stores small content and returns its SHA-256 digest; durable when this returns.
    pub async fn put_bytes(&self, content: Bytes) -> Result<Digest, BlobError> {
        let digest = Digest::of(&content);
        self.put_verified(&digest, content).await?;
        Ok(digest)
    }

    /// Stores small content under the digest given, which must be its own.
    pub async fn put_verified(&self, digest: &Digest, content: Bytes) -> Result<(), BlobError> {
        let found = Digest::by(digest.algorithm(), &content);
        if found != *digest {
            return Err(BlobError::DigestMismatch { expected: digest.clone(), found });
        }
        match &self.0.place {
            Place::Directory(directory) => directory.put(self.0.environment.uuid(), digest, content).await,
            Place::Bucket(bucket) => bucket.put(digest, content).await,
        }
    }

    /// Removes a blob; fine when there is none.
    pub async fn delete(&self, digest: &Digest) -> Result<(), BlobError> {
        match &self.0.place {
            Place::Directory(directory) => directory.delete(digest).await,
            Place::Bucket(bucket) => bucket.delete(digest).await,
        }
    }

    /// Every blob, some at a time, for the collector of unused ones.
    pub fn list(&self) -> BoxStream<'static, Result<Vec<StoredBlob>, BlobError>> {
        match &self.0.place {
            Place::Directory(directory) => directory.list(),
            Place::Bucket(bucket) => bucket.list(),
        }
    }

    /// Reads a whole blob and compares its digest.
    pub async fn check(&self, digest: &Digest) -> Result<Health, BlobError> {
        let mut blob = match self.read(digest, BlobRange::All).await {
            Ok(blob) => blob,
            Err(BlobError::NotFound(_)) => return Ok(Health::Missing),
            Err(error) => return Err(error),
        };
        let mut hasher = digest.algorithm().hasher();
        while let Some(chunk) = blob.stream.next().await {
            match chunk {
                Ok(chunk) => hasher.update(&chunk),
                // The medium does not give these bytes back any more.
                Err(BlobError::Io { .. }) => return Ok(Health::Damaged),
                Err(error) => return Err(error),
            }
        }
        Ok(if hasher.finish() == *digest { Health::Sound } else { Health::Damaged })
    }

    /// Moves a damaged blob out of the way into `damaged`, where somebody may want to look at it.
    pub async fn set_aside(&self, digest: &Digest) -> Result<(), BlobError> {
        match &self.0.place {
            Place::Directory(directory) => directory.set_aside(digest).await,
            Place::Bucket(bucket) => bucket.set_aside(digest).await,
        }
    }

    /// Where a blob lies on this machine, for a reader that wants the file itself; `None` when it lies in a bucket.
    pub fn local_path(&self, digest: &Digest) -> Option<PathBuf> {
        match &self.0.place {
            Place::Directory(directory) => Some(directory.path_of(digest)),
            Place::Bucket(_) => None,
        }
    }

    /// Whether whole blobs are files of this machine.
    pub fn are_files(&self) -> bool {
        matches!(self.0.place, Place::Directory(_))
    }

    /// An address under which whoever has it reads the blob for a while; `None` when blobs lie on this machine.
    pub async fn download_url(&self, digest: &Digest, life: Duration) -> Result<Option<String>, BlobError> {
        match &self.0.place {
            Place::Directory(_) => Ok(None),
            Place::Bucket(bucket) => bucket.download_url(digest, life).await,
        }
    }
}

/// Runs file work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(BlobError::Cancelled))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffers::CHUNK;

    /// A store in a directory and one in a bucket, which answer alike.
    fn stores() -> Vec<(tempfile::TempDir, BlobStore)> {
        let open = |bucket: bool| {
            let dir = tempfile::tempdir().expect("a directory");
            let store = if bucket {
                let objects = Arc::new(object_store::memory::InMemory::new());
                BlobStore::in_bucket(
                    dir.path(),
                    Environment::real(),
                    Bucket::new(objects, None, "some/prefix"),
                )
            } else {
                BlobStore::local(dir.path(), Environment::real())
            };
            (dir, store.expect("opens"))
        };
        vec![open(false), open(true)]
    }

    async fn content(store: &BlobStore, digest: &Digest, range: BlobRange) -> Vec<u8> {
        let mut blob = store.read(digest, range).await.expect("reads");
        let mut out = Vec::new();
        while let Some(chunk) = blob.stream.next().await {
            out.extend_from_slice(&chunk.expect("a chunk"));
        }
        assert_eq!(out.len() as u64, blob.length);
        out
    }

    #[tokio::test]
    async fn ranges() {
        for (_dir, store) in stores() {
            let bytes: Vec<u8> = (0..CHUNK * 2 + 10).map(|i| (i % 251) as u8).collect();
            let digest = store.put_bytes(bytes.clone().into()).await.expect("puts");
            assert_eq!(content(&store, &digest, BlobRange::All).await, bytes);
            let middle = BlobRange::Bytes { start: 100, end: Some(CHUNK as u64 + 100) };
            assert_eq!(content(&store, &digest, middle).await, bytes[100..CHUNK + 100]);
            let long = BlobRange::Bytes { start: 5, end: Some(u64::MAX) };
            assert_eq!(content(&store, &digest, long).await, bytes[5..]);
            assert_eq!(content(&store, &digest, BlobRange::Last(5)).await, bytes[bytes.len() - 5..]);
            assert_eq!(content(&store, &digest, BlobRange::Last(u64::MAX)).await, bytes);
            let beyond = BlobRange::Bytes { start: bytes.len() as u64, end: None };
            for range in [beyond, BlobRange::Last(0)] {
                let read = store.read(&digest, range).await;
                let Err(BlobError::RangeNotSatisfiable { size, .. }) = read else { panic!("satisfied") };
                assert_eq!(size, bytes.len() as u64);
            }
            assert_eq!(store.read_all(&digest, 7).await.expect("reads"), bytes[..7]);
            let opened = store.open_file(&digest, middle).await.expect("opens");
            assert_eq!(opened.is_some(), store.local_path(&digest).is_some());
            if let Some(opened) = opened {
                let found = (opened.size, opened.start, opened.length);
                assert_eq!(found, (bytes.len() as u64, 100, CHUNK as u64));
                assert_eq!(opened.file.metadata().expect("a file").len(), opened.size);
            }
        }
    }

    #[tokio::test]
    async fn empty_and_missing() {
        for (_dir, store) in stores() {
            let digest = store.put_bytes(Bytes::new()).await.expect("puts");
            assert_eq!(content(&store, &digest, BlobRange::All).await, b"");
            assert_eq!(store.stat(&digest).await.expect("stats"), Some(0));
            let listed: Vec<_> = store.list().map(|some| some.expect("lists").len()).collect().await;
            assert_eq!(listed.iter().sum::<usize>(), 1);
            let first = BlobRange::Bytes { start: 0, end: None };
            assert!(matches!(store.read(&digest, first).await, Err(BlobError::RangeNotSatisfiable { .. })));
            store.delete(&digest).await.expect("deletes");
            store.delete(&digest).await.expect("deletes what is gone");
            assert!(matches!(store.read(&digest, BlobRange::All).await, Err(BlobError::NotFound(_))));
            assert_eq!(store.check(&digest).await.expect("checks"), Health::Missing);
        }
    }

    #[tokio::test]
    async fn content_must_fit_its_digest() {
        let (dir, store) = stores().remove(0);
        let lie = store.put_verified(&Digest::of(b"other"), Bytes::from_static(b"this")).await;
        assert!(matches!(lie, Err(BlobError::DigestMismatch { .. })));
        assert_eq!(fs::read_dir(dir.path().join("incoming")).expect("lists").count(), 0);
        let digest = store.put_bytes(Bytes::from_static(b"this")).await.expect("puts");
        assert_eq!(store.check(&digest).await.expect("checks"), Health::Sound);
        fs::write(store.local_path(&digest).expect("a file"), b"that").expect("writes");
        assert_eq!(store.check(&digest).await.expect("checks"), Health::Damaged);
    }

    #[tokio::test]
    async fn an_open_file_outlives_its_blob_and_cannot_change_it() {
        use std::io::{Read, Write};
        let mut both = stores();
        let (_dir, bucket) = both.remove(1);
        let (_dir, store) = both.remove(0);
        let digest = bucket.put_bytes(Bytes::from_static(b"this")).await.expect("puts");
        assert!(bucket.open_file(&digest, BlobRange::All).await.expect("asks").is_none());
        assert!(matches!(store.open_file(&digest, BlobRange::All).await, Err(BlobError::NotFound(_))));
        store.put_bytes(Bytes::from_static(b"this")).await.expect("puts");
        let opened = store.open_file(&digest, BlobRange::All).await.expect("opens");
        let mut file = opened.expect("a file").file;
        store.delete(&digest).await.expect("deletes");
        let mut text = String::new();
        file.read_to_string(&mut text).expect("reads");
        assert_eq!(text, "this");
        assert!(file.write(b"that").is_err());
    }
}
