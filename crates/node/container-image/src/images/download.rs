//! The bytes of one blob, from a registry to whoever unpacks them: in order, verified, taken up again when they stop.
//!
//! A large blob is fetched in parts, some at a time, where the registry knows ranges; its first answer tells. Parts wait in
//! memory until those before them are passed on, and one is begun only when there is room for it. A registry whose ranges
//! turn out to be wrong is asked for the whole, and what has been passed on already is passed over. Whatever was answered,
//! size and digest are those of all bytes that were passed on.

use super::Inner;
use super::layer::{backoff, extract};
use crate::error::{LayerError, PullError};
use crate::manifest::Descriptor;
use bytes::{Bytes, BytesMut};
use registry_client::{BlobPart, BlobPlace, BlobStream, Hasher, RegistryError, Repository};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::task::AbortOnDropHandle;

/// An attempt that brought this many bytes was not in vain, and does not count. So a bad line is no reason to give up, and a
/// blob still takes a bounded number of attempts.
const PROGRESS: u64 = 64 * 1024;
/// Bytes of a part that are passed on at a time.
const PIECE: usize = 256 * 1024;

/// Fetches the blob and passes it on piece by piece. Size and digest are right when this succeeds; answers with the number
/// of attempts of which nothing came, and the one that succeeded.
pub(super) async fn download(
    inner: &Arc<Inner>,
    repository: &Repository,
    blob: &Descriptor,
    pieces: mpsc::Sender<Bytes>,
) -> Result<u32, PullError> {
    let mut sink = Sink { pieces: Some(pieces), hasher: blob.digest.hasher(), received: 0, size: blob.size };
    let mut attempts = Attempts { made: 1, most: inner.limits.attempts };
    let source = Source { inner: inner.clone(), repository: repository.clone(), blob: blob.clone() };
    let done = match source.in_parts(&mut sink, &mut attempts).await {
        Ok(Begun::Over) => Ok(()),
        Ok(Begun::Whole(stream)) => source.whole(&mut sink, &mut attempts, stream, true).await,
        Err(RegistryError::Range { url, reason }) => {
            tracing::debug!(url, reason, "fetching the layer as a whole");
            source.whole(&mut sink, &mut attempts, None, false).await
        }
        Err(error) => Err(error),
    };
    let attempts = attempts.made;
    if let Err(cause) = done {
        return Err(PullError::Fetch { digest: blob.digest.clone(), attempts, cause });
    }
    if sink.received > blob.size {
        let cause = LayerError::Size { expected: blob.size, actual: sink.received };
        return Err(extract(blob, attempts, cause));
    }
    let actual = sink.hasher.finish();
    if actual == blob.digest {
        Ok(attempts)
    } else {
        Err(extract(blob, attempts, LayerError::Digest { expected: blob.digest.clone(), actual }))
    }
}

/// Where bytes go, and what they have been so far.
struct Sink {
    pieces: Option<mpsc::Sender<Bytes>>,
    hasher: Hasher,
    received: u64,
    size: u64,
}

impl Sink {
    /// Passes bytes on; false when there are more of them than the blob has.
    async fn take(&mut self, bytes: Bytes) -> bool {
        self.received += bytes.len() as u64;
        if self.received > self.size {
            return false;
        }
        self.hasher.update(&bytes);
        // Once unpacking has ended by itself, the rest is read for the digest alone.
        if let Some(sender) = &self.pieces
            && sender.send(bytes).await.is_err()
        {
            self.pieces = None;
        }
        true
    }
}

/// How often something was tried in vain.
struct Attempts {
    made: u32,
    most: u32,
}

impl Attempts {
    /// Waits before another attempt, or gives up. `progress` are the bytes that the last one brought.
    async fn again(
        &mut self,
        inner: &Inner,
        progress: u64,
        cause: RegistryError,
    ) -> Result<(), RegistryError> {
        if progress >= PROGRESS {
            self.made = 1;
        }
        if !cause.is_transient() || self.made >= self.most {
            return Err(cause);
        }
        self.made += 1;
        tracing::debug!(attempts = self.made, %cause, "fetching the layer again");
        inner.environment.sleep(backoff(self.made)).await;
        Ok(())
    }
}

/// How the first request for a part went.
enum Begun {
    /// Everything was passed on.
    Over,
    /// Nothing was, and the registry is to be asked for the whole, or sends it already.
    Whole(Option<BlobStream>),
}

/// The blob at its registry.
#[derive(Clone)]
struct Source {
    inner: Arc<Inner>,
    repository: Repository,
    blob: Descriptor,
}

/// Bytes of a part, and the room they take.
type Part = (Bytes, OwnedSemaphorePermit);

impl Source {
    /// The blob by requests for all that is left of it.
    async fn whole(
        &self,
        sink: &mut Sink,
        attempts: &mut Attempts,
        mut begun: Option<BlobStream>,
        mut ranges: bool,
    ) -> Result<(), RegistryError> {
        while sink.received < sink.size {
            let before = sink.received;
            let cause = match self.rest(sink, begun.take(), ranges).await {
                Ok(()) if sink.received >= sink.size => break,
                Ok(()) => self.ended(sink.received),
                Err(RegistryError::Range { .. }) if ranges => {
                    ranges = false;
                    continue;
                }
                Err(error) => error,
            };
            attempts.again(&self.inner, sink.received - before, cause).await?;
        }
        Ok(())
    }

    /// One request for what is left.
    async fn rest(
        &self,
        sink: &mut Sink,
        begun: Option<BlobStream>,
        ranges: bool,
    ) -> Result<(), RegistryError> {
        let client = &self.inner.client;
        let digest = &self.blob.digest;
        let mut stream = match begun {
            Some(stream) => stream,
            None if ranges => client.blob(&self.repository, digest, sink.received).await?,
            None => client.whole_blob(&self.repository, digest, sink.received).await?,
        };
        while let Some(bytes) = stream.next().await? {
            if !sink.take(bytes).await {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The answer ended early and the connection did not say so.
    fn ended(&self, received: u64) -> RegistryError {
        RegistryError::Body {
            url: self.repository.url(&format!("blobs/{}", self.blob.digest)),
            reason: format!("unexpected EOF after {received} of {} bytes", self.blob.size),
        }
    }

    /// The blob in parts, if it is large and the registry knows ranges.
    async fn in_parts(&self, sink: &mut Sink, attempts: &mut Attempts) -> Result<Begun, RegistryError> {
        let limits = &self.inner.limits;
        let size = self.blob.size;
        let step = limits.part_bytes.max(1);
        if size < limits.parts_from || size <= step || limits.parts_per_layer < 2 {
            return Ok(Begun::Whole(None));
        }
        let first = loop {
            match self.ask(0..step, None).await {
                Ok(answer) => break answer,
                Err(cause) => attempts.again(&self.inner, 0, cause).await?,
            }
        };
        let (first, place) = match first {
            BlobPart::Whole(stream) => return Ok(Begun::Whole(Some(stream))),
            BlobPart::Part(stream, place) => (stream, Arc::new(place)),
        };
        let mut first = Some(first);
        let mut next = 0;
        let mut under_way: VecDeque<AbortOnDropHandle<Result<Part, RegistryError>>> = VecDeque::new();
        while next < size || !under_way.is_empty() {
            while next < size && under_way.len() < limits.parts_per_layer {
                // Only the part that all others wait for may wait for room.
                let room = if under_way.is_empty() {
                    self.inner.parts.clone().acquire_owned().await.ok()
                } else {
                    self.inner.parts.clone().try_acquire_owned().ok()
                };
                let Some(room) = room else { break };
                let range = next..size.min(next.saturating_add(step));
                next = range.end;
                let part = self.clone().part(range, place.clone(), first.take(), room);
                under_way.push_back(AbortOnDropHandle::new(tokio::spawn(part)));
            }
            let Some(part) = under_way.pop_front() else { return Err(self.ended(sink.received)) };
            let (mut bytes, _room) = part.await.unwrap_or_else(|_| Err(self.ended(sink.received)))?;
            while !bytes.is_empty() {
                sink.take(bytes.split_to(PIECE.min(bytes.len()))).await;
            }
        }
        Ok(Begun::Over)
    }

    async fn ask(&self, range: Range<u64>, place: Option<&BlobPlace>) -> Result<BlobPart, RegistryError> {
        let client = &self.inner.client;
        client.blob_part(&self.repository, &self.blob.digest, range, self.blob.size, place).await
    }

    /// One part; `begun` is the answer to it, if it was asked for already.
    async fn part(
        self,
        range: Range<u64>,
        place: Arc<BlobPlace>,
        mut begun: Option<BlobStream>,
        room: OwnedSemaphorePermit,
    ) -> Result<Part, RegistryError> {
        // A part is a few MiB, so its length fits.
        let wanted = (range.end - range.start) as usize;
        let mut attempts = Attempts { made: 1, most: self.inner.limits.attempts };
        let mut bytes = BytesMut::with_capacity(wanted);
        loop {
            let before = bytes.len();
            let cause = match self.fill(&range, &place, begun.take(), &mut bytes, wanted).await {
                Ok(()) if bytes.len() >= wanted => return Ok((bytes.freeze(), room)),
                Ok(()) => self.ended(range.start + bytes.len() as u64),
                Err(error) => error,
            };
            attempts.again(&self.inner, (bytes.len() - before) as u64, cause).await?;
        }
    }

    /// One request for what is left of a part. What is sent beyond it is not read.
    async fn fill(
        &self,
        range: &Range<u64>,
        place: &BlobPlace,
        begun: Option<BlobStream>,
        bytes: &mut BytesMut,
        wanted: usize,
    ) -> Result<(), RegistryError> {
        let mut stream = match begun {
            Some(stream) => stream,
            None => match self.ask(range.start + bytes.len() as u64..range.end, Some(place)).await? {
                BlobPart::Part(stream, _) => stream,
                BlobPart::Whole(_) => return Err(self.ended(0)),
            },
        };
        while bytes.len() < wanted
            && let Some(more) = stream.next().await?
        {
            bytes.extend_from_slice(&more[..more.len().min(wanted - bytes.len())]);
        }
        Ok(())
    }
}
