//! Uploads: content that arrives in pieces, over several connections and restarts, until it is a blob.

use crate::blobs::Place;
use crate::blobs::blocking;
use crate::{Algorithm, BlobError, BlobStore, Digest, Hasher};
use bytes::Bytes;
use environment::{Environment, Timestamp};
use futures::{Stream, StreamExt};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Chunks of an upload that may wait for the disk; with hyper's frames this is up to 1 MiB.
const QUEUE: usize = 4;
/// The kernel is asked to write back after this many bytes, so that the last sync is short.
const SYNC_EVERY: u64 = 64 * 1024 * 1024;
/// Uploads open at the same time.
const MOST_UPLOADS: usize = 10_000;

/// Random characters at the beginning of an upload's name.
const RANDOM: usize = 24;

/// Names an upload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UploadId(Arc<str>);

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl UploadId {
    /// A new name that belongs to `scope`: random, but for an end that only this scope has. So an upload is gone on with
    /// only where it began, and nothing needs to be kept for that.
    fn new(environment: &Environment, scope: &str) -> Self {
        let mut name = environment.uuid();
        name.truncate(RANDOM);
        let mark = Self::mark(&name, scope);
        name.push_str(&mark);
        Self(name.into())
    }

    fn mark(random: &str, scope: &str) -> String {
        let mut digest = Digest::of(format!("{random} {scope}").as_bytes()).hex().to_owned();
        digest.truncate(36 - RANDOM);
        digest
    }

    /// Whether the upload was begun for `scope`.
    pub fn is_of(&self, scope: &str) -> bool {
        self.0.split_at_checked(RANDOM).is_some_and(|(random, mark)| mark == Self::mark(random, scope))
    }
}

impl FromStr for UploadId {
    type Err = BlobError;

    /// Takes only what [`BlobStore::start_upload`] makes, so that an id is always a plain file name.
    fn from_str(text: &str) -> Result<Self, BlobError> {
        let plain = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
        if text.len() == 36 && text.bytes().all(plain) {
            Ok(Self(text.into()))
        } else {
            Err(BlobError::UploadNotFound(text.chars().take(100).collect()))
        }
    }
}

/// Uploads that this process has touched, each with its running hash.
#[derive(Default)]
pub(crate) struct OpenUploads(Mutex<HashMap<UploadId, Arc<tokio::sync::Mutex<Option<Upload>>>>>);

/// An upload in progress. `None` behind its lock once it is finished or cancelled.
///
/// Its file is open only while bytes arrive, so that clients that went away hold no descriptors.
pub(crate) struct Upload {
    path: PathBuf,
    length: u64,
    synced: u64,
    /// Why a write back in the middle failed. The kernel tells each failure once, so it must be kept.
    damage: Arc<Mutex<Option<io::ErrorKind>>>,
    hasher: Hasher,
}

/// An upload whose content has the digest that was said, but which is not a blob yet.
///
/// What must be written down before the blob is there can be written now. Dropped, the upload is what it was before.
#[must_use = "the upload is not a blob until it is kept"]
pub struct CheckedUpload {
    store: BlobStore,
    id: UploadId,
    held: tokio::sync::OwnedMutexGuard<Option<Upload>>,
    digest: Digest,
    size: u64,
}

impl CheckedUpload {
    /// Size of the blob to be.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Makes the upload a blob; it is durable when this returns, and the upload is gone.
    pub async fn keep(mut self) -> Result<(), BlobError> {
        let gone = || BlobError::UploadNotFound(self.id.to_string());
        let path = self.held.as_ref().ok_or_else(gone)?.path.clone();
        match &self.store.0.place {
            Place::Directory(directory) => {
                let (directory, digest) = (directory.clone(), self.digest.clone());
                blocking(move || directory.accept(&path, &digest)).await?;
            }
            Place::Bucket(bucket) => {
                bucket.put_file(&self.digest, &path, self.size).await?;
                // It is a blob by now; what stays of the upload is removed when uploads expire.
                let _ = tokio::fs::remove_file(&path).await;
            }
        }
        self.held.take();
        self.store.0.uploads.0.lock().remove(&self.id);
        Ok(())
    }
}

impl BlobStore {
    /// Begins an upload for `scope`, which is whatever the caller tells uploads apart by.
    pub async fn start_upload(&self, scope: &str) -> Result<UploadId, BlobError> {
        let id = UploadId::new(&self.0.environment, scope);
        let path = self.upload_path(&id);
        let upload = blocking(move || Upload::create(path)).await?;
        let mut open = self.0.uploads.0.lock();
        if open.len() >= MOST_UPLOADS {
            let _ = fs::remove_file(&upload.path);
            return Err(BlobError::TooManyUploads(open.len()));
        }
        open.insert(id.clone(), Arc::new(tokio::sync::Mutex::new(Some(upload))));
        Ok(id)
    }

    /// Bytes received so far.
    pub async fn upload_length(&self, id: &UploadId) -> Result<u64, BlobError> {
        let slot = self.upload(id).await?;
        let upload = slot.lock().await;
        upload.as_ref().map(|upload| upload.length).ok_or_else(|| BlobError::UploadNotFound(id.to_string()))
    }

    /// Appends a stream, hashing while it is written, and returns the new length. With `at`, the chunk must begin
    /// where the upload ends. What arrived before a failure of the stream is kept, so the client can go on.
    pub async fn append<E: fmt::Display>(
        &self,
        id: &UploadId,
        at: Option<u64>,
        mut content: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<u64, BlobError> {
        let slot = self.upload(id).await?;
        let mut held = slot.lock_owned().await;
        let length = held
            .as_ref()
            .map(|upload| upload.length)
            .ok_or_else(|| BlobError::UploadNotFound(id.to_string()))?;
        if let Some(at) = at.filter(|at| *at != length) {
            return Err(BlobError::OutOfOrder { length, at });
        }
        let (sender, mut receiver) = mpsc::channel::<Bytes>(QUEUE);
        let writer = tokio::task::spawn_blocking(move || -> Result<u64, BlobError> {
            let Some(upload) = held.as_mut() else { return Err(BlobError::Cancelled) };
            let mut file = upload.open()?;
            while let Some(chunk) = receiver.blocking_recv() {
                upload.write(&mut file, &chunk)?;
            }
            Ok(upload.length)
        });
        let mut interrupted = None;
        while let Some(chunk) = content.next().await {
            match chunk {
                // The writer only goes away with an error of its own, which is the one to tell.
                Ok(chunk) => {
                    if sender.send(chunk).await.is_err() {
                        break;
                    }
                }
                Err(error) => {
                    interrupted = Some(BlobError::Interrupted(error.to_string()));
                    break;
                }
            }
        }
        drop(sender);
        let length = writer.await.unwrap_or(Err(BlobError::Cancelled));
        if let Err(error) = length {
            // The file may hold a part of a chunk that the hash does not know, so nothing can follow it.
            if let Err(left) = self.cancel_upload(id).await {
                tracing::warn!(upload = %id, error = %left, "cannot remove a failed upload");
            }
            return Err(error);
        }
        interrupted.map_or(length, Err)
    }

    /// Makes sure that an upload's content has the digest `expected`, durably. When it has another, the upload is gone.
    pub async fn check_upload(&self, id: &UploadId, expected: &Digest) -> Result<CheckedUpload, BlobError> {
        let slot = self.upload(id).await?;
        let mut held = slot.lock_owned().await;
        if held.is_none() {
            return Err(BlobError::UploadNotFound(id.to_string()));
        }
        let digest = expected.clone();
        let durable = matches!(self.0.place, Place::Directory(_));
        let (held, checked) = blocking(move || {
            let checked = match held.as_mut() {
                Some(upload) => upload.check(&digest, durable),
                None => Err(BlobError::Cancelled),
            };
            if checked.is_err()
                && let Some(upload) = held.take()
            {
                // Already failing; what stays is removed when uploads expire.
                let _ = fs::remove_file(&upload.path);
            }
            Ok((held, checked))
        })
        .await?;
        if checked.is_err() {
            self.0.uploads.0.lock().remove(id);
        }
        let size = checked?;
        Ok(CheckedUpload { store: self.clone(), id: id.clone(), held, digest: expected.clone(), size })
    }

    /// [`BlobStore::check_upload`] and [`CheckedUpload::keep`] in one, for a blob that nobody needs to be told of before.
    pub async fn finish_upload(&self, id: &UploadId, expected: &Digest) -> Result<u64, BlobError> {
        let checked = self.check_upload(id, expected).await?;
        let size = checked.size();
        checked.keep().await.map(|()| size)
    }

    /// Throws an upload away.
    pub async fn cancel_upload(&self, id: &UploadId) -> Result<(), BlobError> {
        let slot = self.upload(id).await?;
        let upload = slot.lock().await.take();
        self.0.uploads.0.lock().remove(id);
        let upload = upload.ok_or_else(|| BlobError::UploadNotFound(id.to_string()))?;
        blocking(move || {
            fs::remove_file(&upload.path).map_err(|error| BlobError::io("removing", &upload.path, error))
        })
        .await
    }

    /// How many uploads are neither finished nor cancelled.
    pub async fn open_uploads(&self) -> Result<usize, BlobError> {
        let folder = self.0.root.join("uploads");
        blocking(move || {
            let entries = fs::read_dir(&folder).map_err(|error| BlobError::io("listing", &folder, error))?;
            let is_upload = |entry: &fs::DirEntry| {
                entry.file_name().to_str().is_some_and(|name| name.parse::<UploadId>().is_ok())
            };
            Ok(entries.flatten().filter(is_upload).count())
        })
        .await
    }

    /// Removes uploads that nothing was appended to for `idle`, and returns how many.
    pub async fn expire_uploads(&self, idle: Duration) -> Result<usize, BlobError> {
        let folder = self.0.root.join("uploads");
        let limit = self.0.environment.now() - idle;
        let stale = blocking(move || {
            let entries = fs::read_dir(&folder).map_err(|error| BlobError::io("listing", &folder, error))?;
            let old = |entry: &fs::DirEntry| {
                entry
                    .metadata()
                    .and_then(|m| m.modified())
                    .is_ok_and(|time| Timestamp::from_system(time) < limit)
            };
            Ok(entries
                .flatten()
                .filter(old)
                .filter_map(|entry| entry.file_name().into_string().ok())
                .collect())
        })
        .await?;
        let stale: Vec<String> = stale;
        let mut removed = 0;
        for name in stale {
            let Ok(id) = name.parse::<UploadId>() else { continue };
            // Gone in the meantime is as good.
            removed += usize::from(self.cancel_upload(&id).await.is_ok());
        }
        Ok(removed)
    }

    /// The file that an upload's content is gathered in, for those who read it while it arrives.
    pub fn upload_file(&self, id: &UploadId) -> PathBuf {
        self.upload_path(id)
    }

    fn upload_path(&self, id: &UploadId) -> PathBuf {
        self.0.root.join("uploads").join(&*id.0)
    }

    /// The upload's slot; one that an earlier process began is opened again and hashed anew.
    async fn upload(&self, id: &UploadId) -> Result<Arc<tokio::sync::Mutex<Option<Upload>>>, BlobError> {
        if let Some(slot) = self.0.uploads.0.lock().get(id) {
            return Ok(slot.clone());
        }
        let path = self.upload_path(id);
        let reopened = blocking(move || Upload::reopen(path)).await?;
        let reopened = reopened.ok_or_else(|| BlobError::UploadNotFound(id.to_string()))?;
        let mut open = self.0.uploads.0.lock();
        let slot =
            open.entry(id.clone()).or_insert_with(|| Arc::new(tokio::sync::Mutex::new(Some(reopened))));
        Ok(slot.clone())
    }
}

impl Upload {
    fn create(path: PathBuf) -> Result<Self, BlobError> {
        File::create_new(&path).map_err(|error| BlobError::io("creating", &path, error))?;
        Ok(Self { path, length: 0, synced: 0, damage: Arc::default(), hasher: Algorithm::Sha256.hasher() })
    }

    fn reopen(path: PathBuf) -> Result<Option<Self>, BlobError> {
        match fs::metadata(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(BlobError::io("looking at", path, error)),
        }
        let mut hasher = Algorithm::Sha256.hasher();
        let length = each_chunk(&path, |chunk| hasher.update(chunk))?;
        Ok(Some(Self { path, length, synced: length, damage: Arc::default(), hasher }))
    }

    fn open(&self) -> Result<File, BlobError> {
        let opened = OpenOptions::new().append(true).open(&self.path);
        opened.map_err(|error| BlobError::io("opening", &self.path, error))
    }

    fn write(&mut self, file: &mut File, chunk: &[u8]) -> Result<(), BlobError> {
        file.write_all(chunk).map_err(|error| BlobError::io("writing", &self.path, error))?;
        self.hasher.update(chunk);
        self.length += chunk.len() as u64;
        if self.length - self.synced >= SYNC_EVERY {
            self.synced = self.length;
            sync_behind(file, self.damage.clone());
        }
        Ok(())
    }

    /// Size of the content, if it has this digest.
    fn check(&mut self, expected: &Digest, durable: bool) -> Result<u64, BlobError> {
        let found = match expected.algorithm() {
            Algorithm::Sha256 => self.hasher.clone().finish(),
            Algorithm::Sha512 => {
                let mut hasher = Algorithm::Sha512.hasher();
                each_chunk(&self.path, |chunk| hasher.update(chunk))?;
                hasher.finish()
            }
        };
        if found != *expected {
            return Err(BlobError::DigestMismatch { expected: expected.clone(), found });
        }
        if durable {
            let synced = self.open()?.sync_all();
            let damaged = self.damage.lock().map_or(Ok(()), |kind| Err(io::Error::from(kind)));
            synced.and(damaged).map_err(|error| BlobError::io("syncing", &self.path, error))?;
        }
        Ok(self.length)
    }
}

/// Starts writing back what has arrived while more arrives.
fn sync_behind(file: &File, damage: Arc<Mutex<Option<io::ErrorKind>>>) {
    if let Ok(file) = file.try_clone() {
        tokio::task::spawn_blocking(move || {
            // Held during the sync, so that the end of the upload waits for what is found here.
            let mut damage = damage.lock();
            if let Err(error) = file.sync_data() {
                damage.get_or_insert(error.kind());
            }
        });
    }
}

/// Hands a file to `take` in large chunks and returns its length.
fn each_chunk(path: &Path, mut take: impl FnMut(&[u8])) -> Result<u64, BlobError> {
    let failed = |error| BlobError::io("reading", path, error);
    let mut file = File::open(path).map_err(failed)?;
    let mut buffer = vec![0; 1024 * 1024];
    let mut length = 0;
    loop {
        let count = file.read(&mut buffer).map_err(failed)?;
        if count == 0 {
            return Ok(length);
        }
        take(&buffer[..count]);
        length += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::Environment;
    use futures::stream;

    fn open(dir: &Path) -> BlobStore {
        BlobStore::local(dir, Environment::real()).expect("opens")
    }

    fn pieces(parts: &[&'static [u8]]) -> impl Stream<Item = Result<Bytes, String>> + Unpin + use<> {
        stream::iter(parts.iter().map(|part| Ok(Bytes::from_static(part))).collect::<Vec<_>>())
    }

    #[tokio::test]
    async fn survives_a_restart_in_the_middle() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        let id = store.start_upload("here").await.expect("starts");
        assert_eq!(store.append(&id, Some(0), pieces(&[b"ab", b"cd"])).await.expect("appends"), 4);
        drop(store);
        let store = open(dir.path());
        assert_eq!(store.upload_length(&id).await.expect("is there"), 4);
        assert!(matches!(
            store.append(&id, Some(5), pieces(&[b"x"])).await,
            Err(BlobError::OutOfOrder { length: 4, at: 5 })
        ));
        store.append(&id, Some(4), pieces(&[b"ef"])).await.expect("appends");
        let digest = Digest::of(b"abcdef");
        assert_eq!(store.finish_upload(&id, &digest).await.expect("finishes"), 6);
        assert_eq!(store.stat(&digest).await.expect("stats"), Some(6));
        assert!(matches!(store.upload_length(&id).await, Err(BlobError::UploadNotFound(_))));
    }

    #[tokio::test]
    async fn sha512_is_read_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        let id = store.start_upload("here").await.expect("starts");
        store.append(&id, None, pieces(&[b"abc"])).await.expect("appends");
        let digest = Digest::by(Algorithm::Sha512, b"abc");
        assert_eq!(store.finish_upload(&id, &digest).await.expect("finishes"), 3);
    }

    #[tokio::test]
    async fn a_lie_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        let id = store.start_upload("here").await.expect("starts");
        store.append(&id, None, pieces(&[b"abc"])).await.expect("appends");
        let lie = Digest::of(b"xyz");
        assert!(matches!(store.finish_upload(&id, &lie).await, Err(BlobError::DigestMismatch { .. })));
        assert_eq!(store.stat(&lie).await.expect("stats"), None);
        assert_eq!(fs::read_dir(dir.path().join("uploads")).expect("lists").count(), 0);
    }

    #[tokio::test]
    async fn an_interrupted_stream_keeps_what_came() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        let id = store.start_upload("here").await.expect("starts");
        let broken = stream::iter([Ok(Bytes::from_static(b"abc")), Err("reset")]);
        assert!(matches!(store.append(&id, None, broken).await, Err(BlobError::Interrupted(_))));
        assert_eq!(store.upload_length(&id).await.expect("is there"), 3);
        store.cancel_upload(&id).await.expect("cancels");
        assert!(store.cancel_upload(&id).await.is_err());
    }

    #[tokio::test]
    async fn idle_uploads_expire() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        store.start_upload("here").await.expect("starts");
        assert_eq!(store.expire_uploads(Duration::from_secs(60)).await.expect("sweeps"), 0);
        assert_eq!(store.open_uploads().await.expect("counts"), 1);
        let later = Environment::real().now() + Duration::from_secs(3600);
        let (environment, _) = Environment::simulated(later, 1);
        let store = BlobStore::local(dir.path(), environment).expect("opens");
        assert_eq!(store.expire_uploads(Duration::from_secs(60)).await.expect("sweeps"), 1);
    }

    #[test]
    fn ids_are_plain_names() {
        for bad in ["", "..", "../../etc/passwd", &"/".repeat(36)] {
            assert!(bad.parse::<UploadId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_belong_to_their_scope() {
        let id = UploadId::new(&Environment::real(), "a/b");
        assert!(id.to_string().parse::<UploadId>().is_ok_and(|same| same == id));
        assert!(id.is_of("a/b") && !id.is_of("a") && !id.is_of(""));
    }

    #[tokio::test]
    async fn an_upload_that_was_checked_but_not_kept_goes_on() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        let id = store.start_upload("here").await.expect("starts");
        store.append(&id, None, pieces(&[b"abc"])).await.expect("appends");
        drop(store.check_upload(&id, &Digest::of(b"abc")).await.expect("is right"));
        assert_eq!(store.stat(&Digest::of(b"abc")).await.expect("stats"), None);
        store.append(&id, Some(3), pieces(&[b"def"])).await.expect("appends");
        assert_eq!(store.finish_upload(&id, &Digest::of(b"abcdef")).await.expect("finishes"), 6);
    }
}
