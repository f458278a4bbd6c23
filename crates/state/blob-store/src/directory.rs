//! Blobs as files of this machine: written beside their place, moved into it when they are whole.

use crate::blobs::{BlobRange, OpenedBlob, ReadBlob, StoredBlob, blocking};
use crate::buffers::Buffers;
use crate::{Algorithm, BlobError, Digest};
use bytes::Bytes;
use environment::Timestamp;
use futures::stream::{self, BoxStream, StreamExt};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The directory below which blobs lie, and the one where they are written first.
#[derive(Clone)]
pub(crate) struct Directory {
    root: PathBuf,
    buffers: Buffers,
}

impl Directory {
    /// Opens or makes it. Blocking, but only for a moment.
    pub(crate) fn open(root: &Path) -> Result<Self, BlobError> {
        for folder in ["blobs/sha256", "blobs/sha512", "incoming"] {
            let path = root.join(folder);
            fs::create_dir_all(&path).map_err(|error| BlobError::io("creating", path, error))?;
        }
        let directory = Self { root: root.to_owned(), buffers: Buffers::default() };
        directory.clear_incoming();
        Ok(directory)
    }

    /// Files that a crash left half written.
    fn clear_incoming(&self) {
        let Ok(entries) = fs::read_dir(self.root.join("incoming")) else { return };
        for entry in entries.flatten() {
            if let Err(error) = fs::remove_file(entry.path()) {
                tracing::warn!(path = %entry.path().display(), %error, "cannot remove a half-written blob");
            }
        }
    }

    pub(crate) async fn stat(&self, digest: &Digest) -> Result<Option<u64>, BlobError> {
        let path = self.path_of(digest);
        match tokio::fs::metadata(&path).await {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(BlobError::io("looking at", path, error)),
        }
    }

    pub(crate) async fn read(&self, digest: &Digest, range: BlobRange) -> Result<ReadBlob, BlobError> {
        let path = self.path_of(digest);
        let digest = digest.clone();
        let buffers = self.buffers.clone();
        blocking(move || read_range(&path, &digest, range, buffers)).await
    }

    pub(crate) async fn open_file(&self, digest: &Digest, range: BlobRange) -> Result<OpenedBlob, BlobError> {
        let path = self.path_of(digest);
        let digest = digest.clone();
        blocking(move || open_range(&path, &digest, range)).await
    }

    /// Stores content whose digest was checked; `name` is one that nobody else uses.
    pub(crate) async fn put(&self, name: String, digest: &Digest, content: Bytes) -> Result<(), BlobError> {
        let directory = self.clone();
        let digest = digest.clone();
        blocking(move || {
            let incoming = directory.root.join("incoming").join(name);
            let written = write_file(&incoming, &content).and_then(|()| directory.accept(&incoming, &digest));
            if written.is_err() {
                // The write has failed already; a leftover is cleared at the next start.
                let _ = fs::remove_file(&incoming);
            }
            written
        })
        .await
    }

    pub(crate) async fn delete(&self, digest: &Digest) -> Result<(), BlobError> {
        let path = self.path_of(digest);
        match tokio::fs::remove_file(&path).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(BlobError::io("removing", path, error))
            }
            _ => Ok(()),
        }
    }

    pub(crate) async fn set_aside(&self, digest: &Digest) -> Result<(), BlobError> {
        let path = self.path_of(digest);
        let folder = self.root.join("damaged");
        let target = folder.join(format!("{}-{}", digest.algorithm().as_str(), digest.hex()));
        blocking(move || {
            let moved = fs::create_dir_all(&folder).and_then(|()| fs::rename(&path, target));
            moved.map_err(|error| BlobError::io("setting aside", path, error))
        })
        .await
    }

    /// Every blob, one folder of them at a time.
    pub(crate) fn list(&self) -> BoxStream<'static, Result<Vec<StoredBlob>, BlobError>> {
        let folders = [Algorithm::Sha256, Algorithm::Sha512]
            .map(|algorithm| (algorithm, self.root.join("blobs").join(algorithm.as_str())));
        stream::iter(folders)
            .then(|(algorithm, folder)| async move {
                let shards = blocking(move || directory(&folder)).await?;
                Ok(stream::iter(shards.into_iter().map(move |shard| Ok((algorithm, shard)))))
            })
            .flat_map(|shards: Result<_, BlobError>| match shards {
                Ok(shards) => shards.boxed(),
                Err(error) => stream::iter([Err(error)]).boxed(),
            })
            .then(|shard| async move {
                let (algorithm, shard) = shard?;
                let read = move || {
                    Ok(directory(&shard)?.iter().filter_map(|path| describe(algorithm, path)).collect())
                };
                blocking(read).await
            })
            .boxed()
    }

    pub(crate) fn path_of(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.root.join("blobs").join(digest.algorithm().as_str()).join(&hex[..2]).join(hex)
    }

    /// Gives a complete, synced file its place under `digest`, durably. Blocking.
    pub(crate) fn accept(&self, file: &Path, digest: &Digest) -> Result<(), BlobError> {
        let target = self.path_of(digest);
        // A blob's path always has the shard folder above it.
        let folder = target.parent().unwrap_or(&self.root).to_owned();
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

fn open_range(path: &Path, digest: &Digest, range: BlobRange) -> Result<OpenedBlob, BlobError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => BlobError::NotFound(digest.clone()),
        _ => BlobError::io("reading", path, error),
    };
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let (start, end) = range.within(size)?;
    Ok(OpenedBlob { file, size, start, length: end - start })
}

fn read_range(
    path: &Path,
    digest: &Digest,
    range: BlobRange,
    buffers: Buffers,
) -> Result<ReadBlob, BlobError> {
    let OpenedBlob { mut file, size, start, length } = open_range(path, digest, range)?;
    if start > 0 {
        let sought = file.seek(SeekFrom::Start(start));
        sought.map_err(|error| BlobError::io("reading", path, error))?;
    }
    let first = read_chunk(&mut file, path, length, &buffers)?;
    let left = length - first.len() as u64;
    let from = (file, path.to_owned(), left, buffers);
    let rest = stream::try_unfold(from, |(mut file, path, left, buffers)| async move {
        if left == 0 {
            return Ok(None);
        }
        blocking(move || {
            let chunk = read_chunk(&mut file, &path, left, &buffers)?;
            let left = left - chunk.len() as u64;
            Ok(Some((chunk, (file, path, left, buffers))))
        })
        .await
    });
    let first = (!first.is_empty()).then_some(Ok(first));
    Ok(ReadBlob { size, start, length, stream: stream::iter(first).chain(rest).boxed() })
}

fn read_chunk(file: &mut File, path: &Path, left: u64, buffers: &Buffers) -> Result<Bytes, BlobError> {
    let mut buffer = buffers.take(usize::try_from(left).unwrap_or(usize::MAX));
    file.read_exact(buffer.as_mut()).map_err(|error| BlobError::io("reading", path, error))?;
    Ok(Bytes::from_owner(buffer))
}
