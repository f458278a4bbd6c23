//! One layer: fetched, verified, unpacked and made a directory, or found to be here.

use super::download::download;
use super::layout::{LayerRecord, Work, layer_key};
use super::{Inner, blocking};
use crate::error::{ImagesError, LayerError, PullError};
use crate::manifest::Descriptor;
use crate::unpack::{Budget, Spent, Unpacked, unpack};
use bytes::{Buf, Bytes};
use registry_client::Digest;
use registry_client::Repository;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Pieces between the network and the thread that unpacks; a piece is a few hundred KiB at most.
const PIECES: usize = 16;
/// First pause before trying again; doubled each time.
const BACKOFF: Duration = Duration::from_millis(200);
/// Longest pause.
const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// A layer as far as it got without the layers below it.
pub(super) enum Ready {
    /// It is a directory for every image that has it.
    Shared { record: LayerRecord, fetched: Option<u64> },
    /// It has directories that it does not describe itself; it becomes a directory for this chain of layers.
    Unfinished { work: Work, unpacked: Unpacked, fetched: u64 },
}

/// The pause before attempt number `attempt` (the second is 2).
pub(super) fn backoff(attempt: u32) -> Duration {
    BACKOFF.saturating_mul(1 << attempt.saturating_sub(2).min(10)).min(MAX_BACKOFF)
}

/// Makes layer number `index` of the chain ready.
pub(super) async fn ready(
    inner: &Arc<Inner>,
    repository: &Repository,
    blob: &Descriptor,
    chain: &[Digest],
    budget: &Arc<Budget>,
) -> Result<Ready, PullError> {
    let Some(diff_id) = chain.last() else {
        return Err(extract(blob, 1, LayerError::Damaged("a layer without diff id".to_owned())));
    };
    // Whoever comes second waits here and then finds the layer.
    let _flight = inner.flight(diff_id.as_str()).await;
    if let Some(record) = present(inner, chain) {
        budget.spend_bytes(record.bytes).map_err(|cause| extract(blob, 1, cause))?;
        budget.spend_entries(record.entries).map_err(|cause| extract(blob, 1, cause))?;
        return Ok(Ready::Shared { record, fetched: None });
    }
    let permit = inner.fetching.clone().acquire_owned().await;
    let (work, unpacked) = fetch(inner, repository, blob, diff_id, budget).await?;
    drop(permit);
    if !unpacked.implicit.is_empty() && chain.len() > 1 {
        return Ok(Ready::Unfinished { work, unpacked, fetched: blob.size });
    }
    let record = commit(inner, work, vec![diff_id.clone()], &unpacked).await?;
    Ok(Ready::Shared { record, fetched: Some(blob.size) })
}

/// Finishes a layer that needed to know those below it, whose directories are `lower`.
pub(super) async fn finish(
    inner: &Arc<Inner>,
    blob: &Descriptor,
    chain: &[Digest],
    lower: Vec<PathBuf>,
    work: Work,
    unpacked: Unpacked,
) -> Result<LayerRecord, PullError> {
    let (work, unpacked) = blocking(move || {
        crate::unpack::adopt(&work.0, &unpacked.implicit, &lower).map(|()| (work, unpacked))
    })
    .await?
    .map_err(|cause| extract(blob, 1, cause))?;
    Ok(commit(inner, work, chain.to_vec(), &unpacked).await?)
}

/// The layer, if it is here for everybody or for this chain.
fn present(inner: &Inner, chain: &[Digest]) -> Option<LayerRecord> {
    let state = inner.state.lock();
    let alone = &chain[chain.len().saturating_sub(1)..];
    [alone, chain]
        .iter()
        .find_map(|chain| state.layers.get(&layer_key(chain)).filter(|layer| layer.chain == *chain))
        .cloned()
}

async fn commit(
    inner: &Arc<Inner>,
    work: Work,
    chain: Vec<Digest>,
    unpacked: &Unpacked,
) -> Result<LayerRecord, ImagesError> {
    let (bytes, entries) = (unpacked.bytes, unpacked.entries);
    let owner = inner.clone();
    // Not while a collection removes the one of this name.
    let flight = inner.flight(&removal(&layer_key(&chain))).await;
    // All of it on the other thread, which goes on to the end even when the pull is given up meanwhile.
    blocking(move || {
        let _flight = flight;
        let record = owner.layout.commit_layer(work, chain, bytes, entries)?;
        owner.state.lock().layers.insert(record.key.clone(), record.clone());
        Ok(record)
    })
    .await?
}

/// The name under which a layer's appearance and removal exclude each other.
pub(super) fn removal(key: &str) -> String {
    format!("layers/{key}")
}

pub(super) fn extract(blob: &Descriptor, attempts: u32, cause: LayerError) -> PullError {
    PullError::Extract { digest: blob.digest.clone(), attempts, cause }
}

/// Unpacks the blob into a new directory. Its content is right when this succeeds.
async fn fetch(
    inner: &Arc<Inner>,
    repository: &Repository,
    blob: &Descriptor,
    diff_id: &Digest,
    budget: &Arc<Budget>,
) -> Result<(Work, Unpacked), PullError> {
    let (attempts, (work, unpacked)) = match by_reference(inner, repository, blob).await? {
        Some(file) => (1, from_file(inner, blob, file, diff_id, budget).await?),
        None => from_network(inner, repository, blob, budget).await?,
    };
    if unpacked.diff_id != *diff_id && verifies(diff_id) {
        let cause = LayerError::DiffId { expected: diff_id.clone(), actual: unpacked.diff_id };
        // Removing a large directory takes its time.
        blocking(move || drop(work)).await?;
        return Err(extract(blob, attempts, cause));
    }
    Ok((work, unpacked))
}

/// Whether what was unpacked is compared with this.
fn verifies(diff_id: &Digest) -> bool {
    diff_id.as_str().starts_with("sha256:")
}

/// The blob's file, if the registry is on this machine and hands it over.
async fn by_reference(
    inner: &Arc<Inner>,
    repository: &Repository,
    blob: &Descriptor,
) -> Result<Option<File>, PullError> {
    let file = inner.client.blob_file(repository, &blob.digest).await;
    file.map_err(|cause| PullError::Fetch { digest: blob.digest.clone(), attempts: 1, cause })
}

/// Unpacks a blob that is a file of this machine.
///
/// The blob was verified when it was pushed. Here the digest of what is unpacked is compared with the one in the
/// configuration, which is right because the manifest's digest covers the configuration's: so nothing that the image does
/// not promise is ever used, and hashing the compressed bytes once more would add nothing. It is done where the
/// configuration does not allow the comparison, and to say what is wrong when something is.
async fn from_file(
    inner: &Arc<Inner>,
    blob: &Descriptor,
    file: File,
    diff_id: &Digest,
    budget: &Arc<Budget>,
) -> Result<(Work, Unpacked), PullError> {
    let (owner, budget) = (inner.clone(), budget.clone());
    let (expected, size, diff_id) = (blob.digest.clone(), blob.size, diff_id.clone());
    let unpacked = blocking(move || {
        let actual = file.metadata().map_err(|error| LayerError::io("read", Path::new("the blob"), error));
        let actual = actual.map_err(Failure::Layer)?.len();
        if actual != size {
            return Err(Failure::Layer(LayerError::Size { expected: size, actual }));
        }
        if !verifies(&diff_id) {
            check_file(&file, &expected)?;
        }
        let unpacked = unpack_into_work(&owner, &file, &budget);
        let suspect = match &unpacked {
            Ok((_, unpacked)) => verifies(&diff_id) && unpacked.diff_id != diff_id,
            Err(failure) => matches!(failure, Failure::Layer(LayerError::Damaged(_))),
        };
        if suspect {
            check_file(&file, &expected)?;
        }
        unpacked
    })
    .await?;
    unpacked.map_err(|failure| failure.of(blob, 1))
}

/// Refuses a file that has not the digest promised.
fn check_file(mut file: &File, expected: &Digest) -> Result<(), Failure> {
    let mut hasher = expected.hasher();
    let hashed = file.seek(SeekFrom::Start(0)).and_then(|_| io::copy(&mut file, &mut Hashing(&mut hasher)));
    let rewound = hashed.and_then(|_| file.seek(SeekFrom::Start(0)));
    rewound.map_err(|error| Failure::Layer(LayerError::io("read", Path::new("the blob"), error)))?;
    let actual = hasher.finish();
    if actual == *expected {
        return Ok(());
    }
    Err(Failure::Layer(LayerError::Digest { expected: expected.clone(), actual }))
}

struct Hashing<'a>(&'a mut registry_client::Hasher);

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Unpacks the blob while it is fetched; answers with the number of attempts, too.
async fn from_network(
    inner: &Arc<Inner>,
    repository: &Repository,
    blob: &Descriptor,
    budget: &Arc<Budget>,
) -> Result<(u32, (Work, Unpacked)), PullError> {
    let (pieces, input) = mpsc::channel(PIECES);
    let mut unpacking = tokio::task::spawn_blocking({
        let (inner, budget) = (inner.clone(), budget.clone());
        move || unpack_into_work(&inner, Pieces { input, current: Bytes::new() }, &budget)
    });
    let feeding = download(inner, repository, blob, pieces);
    tokio::pin!(feeding);
    let mut fed = None;
    let unpacked = loop {
        tokio::select! {
            result = &mut feeding, if fed.is_none() => fed = Some(result),
            result = &mut unpacking => break result,
        }
    };
    let unpacked = unpacked
        .map_err(|error| ImagesError::new("unpack into", inner.layout.layer(""), io::Error::other(error)))?;
    // A damaged archive is most often one whose digest lies, and that is what should be said of it.
    let fed = match (fed, &unpacked) {
        (Some(fed), _) => fed,
        (None, Ok(_) | Err(Failure::Layer(LayerError::Damaged(_)))) => feeding.await,
        (None, Err(_)) => Ok(1),
    };
    let attempts = match (fed, &unpacked) {
        (Ok(attempts), _) => attempts,
        (Err(error), Err(Failure::Layer(LayerError::Damaged(_))) | Ok(_)) => return Err(error),
        // The blob is not what it should be, but what ended the pull is a bound or the disk.
        (Err(_), Err(_)) => 1,
    };
    unpacked.map(|unpacked| (attempts, unpacked)).map_err(|failure| failure.of(blob, attempts))
}

/// Blocking. On failure the directory is removed right here, off the async threads.
fn unpack_into_work(inner: &Inner, input: impl Read, budget: &Budget) -> Result<(Work, Unpacked), Failure> {
    let work = inner.layout.new_work().map_err(Failure::Directory)?;
    let spent = Spent::default();
    match unpack(input, &work.0, budget, &spent) {
        Ok(unpacked) => Ok((work, unpacked)),
        Err(error) => {
            budget.refund(&spent);
            Err(Failure::Layer(error))
        }
    }
}

fn is_full(error: &ImagesError) -> bool {
    matches!(error.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

enum Failure {
    Directory(ImagesError),
    Layer(LayerError),
}

impl Failure {
    fn of(self, blob: &Descriptor, attempts: u32) -> PullError {
        match self {
            Self::Directory(error) if is_full(&error) => extract(blob, attempts, LayerError::DiskFull),
            Self::Directory(error) => error.into(),
            Self::Layer(cause) => extract(blob, attempts, cause),
        }
    }
}

/// The receiving end, as something to read from.
struct Pieces {
    input: mpsc::Receiver<Bytes>,
    current: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.input.blocking_recv() {
                Some(bytes) => self.current = bytes,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
