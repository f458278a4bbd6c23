//! One layer: fetched, verified, unpacked and made a directory, or found to be here.

use super::layout::{LayerRecord, Work, layer_key};
use super::{Inner, blocking};
use crate::error::{ImagesError, LayerError, PullError};
use crate::manifest::Descriptor;
use crate::unpack::{Budget, Spent, Unpacked, unpack};
use bytes::{Buf, Bytes};
use registry_client::Digest;
use registry_client::RegistryError;
use registry_client::Repository;
use std::io::{self, Read};
use std::path::PathBuf;
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

fn extract(blob: &Descriptor, attempts: u32, cause: LayerError) -> PullError {
    PullError::Extract { digest: blob.digest.clone(), attempts, cause }
}

/// Streams the blob into a new directory. Both digests are right when this succeeds.
async fn fetch(
    inner: &Arc<Inner>,
    repository: &Repository,
    blob: &Descriptor,
    diff_id: &Digest,
    budget: &Arc<Budget>,
) -> Result<(Work, Unpacked), PullError> {
    let (pieces, input) = mpsc::channel(PIECES);
    let mut unpacking = tokio::task::spawn_blocking({
        let (inner, budget) = (inner.clone(), budget.clone());
        move || {
            let work = inner.layout.new_work().map_err(Failure::Directory)?;
            let spent = Spent::default();
            // On failure the directory is removed right here, off the async threads.
            match unpack(Pieces { input, current: Bytes::new() }, &work.0, &budget, &spent) {
                Ok(unpacked) => Ok((work, unpacked)),
                Err(error) => {
                    budget.refund(&spent);
                    Err(Failure::Layer(error))
                }
            }
        }
    });
    let feeding = feed(inner, repository, blob, pieces);
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
    let (work, unpacked) = match unpacked {
        Ok(done) => done,
        Err(Failure::Directory(error)) if is_full(&error) => {
            return Err(extract(blob, attempts, LayerError::DiskFull));
        }
        Err(Failure::Directory(error)) => return Err(error.into()),
        Err(Failure::Layer(cause)) => return Err(extract(blob, attempts, cause)),
    };
    if unpacked.diff_id != *diff_id && diff_id.as_str().starts_with("sha256:") {
        let cause = LayerError::DiffId { expected: diff_id.clone(), actual: unpacked.diff_id };
        // Removing a large directory takes its time.
        blocking(move || drop(work)).await?;
        return Err(extract(blob, attempts, cause));
    }
    Ok((work, unpacked))
}

fn is_full(error: &ImagesError) -> bool {
    matches!(error.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

enum Failure {
    Directory(ImagesError),
    Layer(LayerError),
}

/// Fetches the blob, resuming after transient faults, and passes it on piece by piece. Size and digest are right
/// when this succeeds; answers with the number of attempts.
async fn feed(
    inner: &Inner,
    repository: &Repository,
    blob: &Descriptor,
    pieces: mpsc::Sender<Bytes>,
) -> Result<u32, PullError> {
    let mut pieces = Some(pieces);
    let mut hasher = blob.digest.hasher();
    let mut received = 0u64;
    let mut attempts = 1;
    loop {
        let cause = match stream(inner, repository, blob, &mut pieces, &mut hasher, &mut received).await {
            Ok(()) if received == blob.size => break,
            Ok(()) if received > blob.size => {
                return Err(extract(
                    blob,
                    attempts,
                    LayerError::Size { expected: blob.size, actual: received },
                ));
            }
            // The answer ended early and the connection did not say so.
            Ok(()) => RegistryError::Body {
                url: repository.url(&format!("blobs/{}", blob.digest)),
                reason: format!("unexpected EOF after {received} of {} bytes", blob.size),
            },
            Err(error) => error,
        };
        if !cause.is_transient() || attempts >= inner.limits.attempts {
            return Err(PullError::Fetch { digest: blob.digest.clone(), attempts, cause });
        }
        attempts += 1;
        tracing::debug!(digest = %blob.digest, attempts, %cause, "fetching the layer again");
        inner.environment.sleep(backoff(attempts)).await;
    }
    let actual = hasher.finish();
    if actual == blob.digest {
        Ok(attempts)
    } else {
        Err(extract(blob, attempts, LayerError::Digest { expected: blob.digest.clone(), actual }))
    }
}

/// One request from where the last one ended.
async fn stream(
    inner: &Inner,
    repository: &Repository,
    blob: &Descriptor,
    pieces: &mut Option<mpsc::Sender<Bytes>>,
    hasher: &mut registry_client::Hasher,
    received: &mut u64,
) -> Result<(), RegistryError> {
    if *received == blob.size {
        return Ok(());
    }
    let mut body = inner.client.blob(repository, &blob.digest, *received).await?;
    while let Some(bytes) = body.next().await? {
        *received += bytes.len() as u64;
        if *received > blob.size {
            return Ok(());
        }
        hasher.update(&bytes);
        // Once unpacking has ended by itself, the rest is read for the digest alone.
        if let Some(sender) = &*pieces
            && sender.send(bytes).await.is_err()
        {
            *pieces = None;
        }
    }
    Ok(())
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
