//! Whole blobs: stored under their digest, read in ranges.

use crate::uploads::OpenUploads;
use crate::{Algorithm, BlobError, Digest};
use bytes::Bytes;
use environment::{Environment, Timestamp};
use futures::stream::{self, BoxStream, StreamExt};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes read from disk at a time when a blob is streamed.
const CHUNK: usize = 512 * 1024;

/// A directory of blobs, uploads and segments; cheap to clone.
#[derive(Clone)]
pub struct BlobStore(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) root: PathBuf,
    pub(crate) environment: Environment,
    pub(crate) uploads: OpenUploads,
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

/// A blob as the sweep for unused ones sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlob {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// When it was stored or last stored again.
    pub stored_at: Timestamp,
}

impl BlobStore {
    /// Opens or makes a store in a directory of this machine. Blocking, but only for a moment.
    pub fn local(root: &Path, environment: Environment) -> Result<Self, BlobError> {
        for folder in ["blobs/sha256", "blobs/sha512", "uploads", "segments", "incoming"] {
            let path = root.join(folder);
            fs::create_dir_all(&path).map_err(|error| BlobError::io("creating", path, error))?;
        }
        let store =
            Self(Arc::new(Inner { root: root.to_owned(), environment, uploads: OpenUploads::default() }));
        store.clear_incoming();
        Ok(store)
    }

    /// Files that a crash left half written.
    fn clear_incoming(&self) {
        let Ok(entries) = fs::read_dir(self.0.root.join("incoming")) else { return };
        for entry in entries.flatten() {
            if let Err(error) = fs::remove_file(entry.path()) {
                tracing::warn!(path = %entry.path().display(), %error, "cannot remove a half-written blob");
            }
        }
    }

    /// Size of a blob, or `None` when there is none.
    pub async fn stat(&self, digest: &Digest) -> Result<Option<u64>, BlobError> {
        let path = self.path_of(digest);
        match tokio::fs::metadata(&path).await {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(BlobError::io("looking at", path, error)),
        }
    }

    /// Reads a range of a blob as a stream of large chunks.
    pub async fn read(&self, digest: &Digest, range: BlobRange) -> Result<ReadBlob, BlobError> {
        let path = self.path_of(digest);
        let digest = digest.clone();
        blocking(move || open_range(&path, &digest, range)).await
    }

    /// The whole content of a blob that is known to be small, such as a manifest.
    pub async fn read_all(&self, digest: &Digest, limit: u64) -> Result<Bytes, BlobError> {
        let mut blob = self.read(digest, BlobRange::Bytes { start: 0, end: Some(limit) }).await?;
        let mut content = Vec::with_capacity(usize::try_from(blob.length).unwrap_or(0));
        while let Some(chunk) = blob.stream.next().await {
            content.extend_from_slice(&chunk?);
        }
        Ok(content.into())
    }

    /// Stores small content and returns its SHA-256 digest; on disk when this returns.
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
        let store = self.clone();
        blocking(move || {
            let incoming = store.0.root.join("incoming").join(store.0.environment.uuid());
            let written = write_file(&incoming, &content).and_then(|()| store.accept(&incoming, &found));
            if written.is_err() {
                // The write has failed already; a leftover is cleared at the next start.
                let _ = fs::remove_file(&incoming);
            }
            written
        })
        .await
    }

    /// Removes a blob; fine when there is none.
    pub async fn delete(&self, digest: &Digest) -> Result<(), BlobError> {
        let path = self.path_of(digest);
        match tokio::fs::remove_file(&path).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(BlobError::io("removing", path, error))
            }
            _ => Ok(()),
        }
    }

    /// Every blob, for the sweep of unused ones.
    pub async fn list(&self) -> Result<Vec<StoredBlob>, BlobError> {
        let root = self.0.root.clone();
        blocking(move || {
            let mut found = Vec::new();
            for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
                let folder = root.join("blobs").join(algorithm.as_str());
                for shard in directory(&folder)? {
                    for path in directory(&shard)? {
                        found.extend(describe(algorithm, &path));
                    }
                }
            }
            Ok(found)
        })
        .await
    }

    /// Where a blob lies on this machine, for a reader that wants the file itself.
    pub fn local_path(&self, digest: &Digest) -> PathBuf {
        self.path_of(digest)
    }

    pub(crate) fn path_of(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.0.root.join("blobs").join(digest.algorithm().as_str()).join(&hex[..2]).join(hex)
    }

    /// Gives a complete, synced file its place under `digest`, durably.
    pub(crate) fn accept(&self, file: &Path, digest: &Digest) -> Result<(), BlobError> {
        let target = self.path_of(digest);
        // A blob's path always has the shard folder above it.
        let folder = target.parent().unwrap_or(&self.0.root).to_owned();
        let place = || -> io::Result<()> {
            if !folder.is_dir() {
                fs::create_dir_all(&folder)?;
                // The new folder's own entry must be on disk as well.
                folder.parent().map_or(Ok(()), |above| File::open(above)?.sync_all())?;
            }
            fs::rename(file, &target)?;
            File::open(&folder)?.sync_all()
        };
        place().map_err(|error| BlobError::io("storing", target.clone(), error))
    }
}

/// Runs file work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(BlobError::Cancelled))
}

fn write_file(path: &Path, content: &[u8]) -> Result<(), BlobError> {
    let write = || -> io::Result<()> {
        let mut file = File::create_new(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(|error| BlobError::io("writing", path, error))
}

fn directory(path: &Path) -> Result<Vec<PathBuf>, BlobError> {
    let entries = fs::read_dir(path).map_err(|error| BlobError::io("listing", path, error))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

fn describe(algorithm: Algorithm, path: &Path) -> Option<StoredBlob> {
    let name = path.file_name()?.to_str()?;
    let digest = format!("{}:{name}", algorithm.as_str()).parse().ok()?;
    let metadata = fs::metadata(path).ok()?;
    let stored_at = metadata.modified().map(Timestamp::from_system).ok()?;
    Some(StoredBlob { digest, size: metadata.len(), stored_at })
}

fn open_range(path: &Path, digest: &Digest, range: BlobRange) -> Result<ReadBlob, BlobError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => BlobError::NotFound(digest.clone()),
        _ => BlobError::io("reading", path, error),
    };
    let mut file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let (start, end) = match range {
        BlobRange::All => (0, size),
        BlobRange::Bytes { start, end } => (start, end.unwrap_or(size).min(size)),
        BlobRange::Last(count) => (size.saturating_sub(count), size),
    };
    if start > end || (start == size && size > 0) {
        return Err(BlobError::RangeNotSatisfiable { start, size });
    }
    if start > 0 {
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
    }
    let length = end - start;
    let first = read_chunk(&mut file, path, length)?;
    let left = length - first.len() as u64;
    let rest = stream::try_unfold((file, path.to_owned(), left), |(mut file, path, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        blocking(move || {
            let chunk = read_chunk(&mut file, &path, left)?;
            let left = left - chunk.len() as u64;
            Ok(Some((chunk, (file, path, left))))
        })
        .await
    });
    let first = (!first.is_empty()).then_some(Ok(first));
    Ok(ReadBlob { size, start, length, stream: stream::iter(first).chain(rest).boxed() })
}

fn read_chunk(file: &mut File, path: &Path, left: u64) -> Result<Bytes, BlobError> {
    let length = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
    let mut chunk = Vec::with_capacity(length);
    file.take(length as u64)
        .read_to_end(&mut chunk)
        .map_err(|error| BlobError::io("reading", path, error))?;
    if chunk.len() < length {
        let source = io::Error::from(io::ErrorKind::UnexpectedEof);
        return Err(BlobError::io("reading", path, source));
    }
    Ok(chunk.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, BlobStore) {
        let dir = tempfile::tempdir().expect("a directory");
        let store = BlobStore::local(dir.path(), Environment::real()).expect("opens");
        (dir, store)
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
        let (_dir, store) = store();
        let bytes: Vec<u8> = (0..CHUNK * 2 + 10).map(|i| (i % 251) as u8).collect();
        let digest = store.put_bytes(bytes.clone().into()).await.expect("puts");
        assert_eq!(content(&store, &digest, BlobRange::All).await, bytes);
        let middle = BlobRange::Bytes { start: 100, end: Some(CHUNK as u64 + 100) };
        assert_eq!(content(&store, &digest, middle).await, bytes[100..CHUNK + 100]);
        assert_eq!(content(&store, &digest, BlobRange::Last(5)).await, bytes[bytes.len() - 5..]);
        let beyond = BlobRange::Bytes { start: bytes.len() as u64, end: None };
        assert!(matches!(store.read(&digest, beyond).await, Err(BlobError::RangeNotSatisfiable { .. })));
    }

    #[tokio::test]
    async fn empty_and_missing() {
        let (_dir, store) = store();
        let digest = store.put_bytes(Bytes::new()).await.expect("puts");
        assert_eq!(content(&store, &digest, BlobRange::All).await, b"");
        assert_eq!(store.stat(&digest).await.expect("stats"), Some(0));
        assert_eq!(store.list().await.expect("lists").len(), 1);
        store.delete(&digest).await.expect("deletes");
        store.delete(&digest).await.expect("deletes what is gone");
        assert!(matches!(store.read(&digest, BlobRange::All).await, Err(BlobError::NotFound(_))));
    }

    #[tokio::test]
    async fn content_must_fit_its_digest() {
        let (dir, store) = store();
        let lie = store.put_verified(&Digest::of(b"other"), Bytes::from_static(b"this")).await;
        assert!(matches!(lie, Err(BlobError::DigestMismatch { .. })));
        assert_eq!(fs::read_dir(dir.path().join("incoming")).expect("lists").count(), 0);
    }
}
