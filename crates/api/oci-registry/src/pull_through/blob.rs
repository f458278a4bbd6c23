//! Blobs of other registries: fetched once, and passed on to everybody who waits while they arrive.

use super::{credentials, may_import};
use crate::error::RegistryError;
use crate::respond::{DIGEST, Response, set};
use crate::{Inner, Place, blobs};
use access::Caller;
use blob_store::Digest;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use http::request::Parts;
use http::{Method, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use registry_client::RegistryError as UpstreamError;
use resources::ecr::PullThroughCacheRule;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;

/// Times that a broken stream is taken up again.
const MOST_ATTEMPTS: usize = 4;
/// Bytes passed on at a time.
const CHUNK: usize = 128 * 1024;
/// Time between two looks at a blob of which nothing new has arrived.
const WAIT: Duration = Duration::from_millis(5);

/// A blob on its way.
pub(super) struct Flight(watch::Receiver<State>);

#[derive(Clone)]
enum State {
    Starting,
    Running { file: PathBuf, size: Option<u64> },
    Done,
    Failed(String),
}

/// Fetches a blob if it is not here. An answer that is returned passes it on while it arrives.
pub(crate) async fn blob(
    registry: &Arc<Inner>,
    caller: &Caller,
    place: &Place,
    rule: &PullThroughCacheRule,
    digest: &str,
    parts: &Parts,
) -> Result<Option<Response>, RegistryError> {
    let digest = blobs::parse(digest)?;
    if registry.images.link(&place.account, &place.name, &digest).await?.is_some()
        || !may_import(registry, caller, place, parts).await?
    {
        return Ok(None);
    }
    let mut state = flight(registry, place, rule, &digest).0.clone();
    // A range is cut out of what is here. Who asks for the beginning can have all of it instead, and at once.
    let range = parts.headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let beginning = range.is_none_or(|range| range.starts_with("bytes=0-"));
    let by_reference = parts.extensions.get::<crate::local::ByReference>().is_some();
    let whole = parts.method == Method::GET && (beginning || by_reference);
    loop {
        let now = state.borrow_and_update().clone();
        match now {
            State::Running { file, size } if whole => {
                // Whoever comes as it ends finds it in its place.
                let Ok(opened) = File::open(&file).await else { return Ok(None) };
                return Ok(Some(follow(registry, &digest, opened, size, state)));
            }
            State::Done => return Ok(None),
            State::Failed(failure) => return Err(RegistryError::Upstream(failure)),
            State::Starting | State::Running { .. } => {}
        }
        if state.changed().await.is_err() {
            return Ok(None);
        }
    }
}

/// Fetches a blob and waits until it is here.
pub(super) async fn fetch_whole(
    registry: &Arc<Inner>,
    place: &Place,
    rule: &PullThroughCacheRule,
    digest: &Digest,
) -> Result<(), String> {
    let mut state = flight(registry, place, rule, digest).0.clone();
    let over = state.wait_for(|state| matches!(state, State::Done | State::Failed(_))).await;
    match over.as_deref() {
        Ok(State::Failed(failure)) => Err(failure.clone()),
        Ok(_) => Ok(()),
        Err(_) => Err("the fetch ended early".to_owned()),
    }
}

/// The flight of a blob into a repository, begun if there is none.
fn flight(registry: &Arc<Inner>, place: &Place, rule: &PullThroughCacheRule, digest: &Digest) -> Arc<Flight> {
    let key = place.row(&digest.to_string());
    let mut flights = registry.pull_through.flights.lock();
    if let Some(flight) = flights.get(&key) {
        return flight.clone();
    }
    let (sender, receiver) = watch::channel(State::Starting);
    let flight = Arc::new(Flight(receiver));
    flights.insert(key.clone(), flight.clone());
    let (registry, place, rule, digest) = (registry.clone(), place.clone(), rule.clone(), digest.clone());
    tokio::spawn(async move {
        let over = match fetch(&registry, &place, &rule, &digest, &sender).await {
            Ok(()) => State::Done,
            Err(failure) => State::Failed(failure),
        };
        registry.pull_through.flights.lock().remove(&key);
        sender.send_replace(over);
    });
    flight
}

async fn fetch(
    registry: &Inner,
    place: &Place,
    rule: &PullThroughCacheRule,
    digest: &Digest,
    sender: &watch::Sender<State>,
) -> Result<(), String> {
    let said = |error: UpstreamError| error.to_string();
    let upstream = credentials::upstream(registry, place, rule).await.map_err(said)?;
    let wanted: registry_client::Digest = digest.to_string().parse().map_err(|error| format!("{error}"))?;
    let scope = format!("{}/{} through", place.account, place.name);
    let id = registry.blobs.start_upload(&scope).await.map_err(|error| error.to_string())?;
    let mut attempts = 0;
    let arrived = loop {
        attempts += 1;
        let length = registry.blobs.upload_length(&id).await.map_err(|error| error.to_string())?;
        let arriving = match registry.pull_through.client.blob(&upstream, &wanted, length).await {
            Ok(arriving) => arriving,
            Err(error) if error.is_transient() && attempts < MOST_ATTEMPTS => continue,
            Err(error) => break Err(error.to_string()),
        };
        let size = arriving.length().map(|left| length + left);
        sender.send_replace(State::Running { file: registry.blobs.upload_file(&id), size });
        let pieces = stream::unfold(Some(arriving), |arriving| async move {
            let mut arriving = arriving?;
            match arriving.next().await {
                Ok(Some(bytes)) => Some((Ok(bytes), Some(arriving))),
                Ok(None) => None,
                Err(error) => Some((Err(error.to_string()), None)),
            }
        });
        match registry.blobs.append(&id, Some(length), pieces.boxed()).await {
            Ok(_) => break Ok(()),
            Err(blob_store::BlobError::Interrupted(_)) if attempts < MOST_ATTEMPTS => {}
            Err(error) => break Err(error.to_string()),
        }
    };
    let kept = match arrived {
        Ok(()) => match registry.blobs.check_upload(&id, digest).await {
            Ok(checked) => {
                let kept = registry.images.keep_upload(&place.account, &place.name, digest, checked).await;
                kept.map(|_| ()).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        },
        Err(failure) => Err(failure),
    };
    if kept.is_err() {
        // Already failing; what stays goes when uploads expire.
        let _ = registry.blobs.cancel_upload(&id).await;
    }
    kept
}

/// An answer that reads a file as it grows.
fn follow(
    registry: &Arc<Inner>,
    digest: &Digest,
    file: File,
    size: Option<u64>,
    state: watch::Receiver<State>,
) -> Response {
    let environment = registry.tables.environment().clone();
    let pieces =
        stream::try_unfold((file, 0u64, state, environment), move |(mut file, sent, state, environment)| {
            async move {
                loop {
                    if size == Some(sent) {
                        return Ok(None);
                    }
                    // Looked at before reading: what is there when it is over is all.
                    let now = state.borrow().clone();
                    let mut piece = BytesMut::with_capacity(CHUNK);
                    if file.read_buf(&mut piece).await? > 0 {
                        let sent = sent + piece.len() as u64;
                        return Ok(Some((Frame::data(piece.freeze()), (file, sent, state, environment))));
                    }
                    match now {
                        State::Done if size.is_none() => return Ok(None),
                        State::Done => {
                            return Err(std::io::Error::other("the blob is shorter than was said"));
                        }
                        State::Failed(failure) => return Err(std::io::Error::other(failure)),
                        State::Starting | State::Running { .. } => environment.sleep(WAIT).await,
                    }
                }
            }
        });
    let pieces = pieces.map(|piece: Result<Frame<Bytes>, std::io::Error>| piece.map_err(Into::into));
    let mut response = http::Response::new(BodyExt::boxed_unsync(StreamBody::new(pieces)));
    set(&mut response, DIGEST, &digest.to_string());
    set(&mut response, header::CONTENT_TYPE, "application/octet-stream");
    if let Some(size) = size {
        set(&mut response, header::CONTENT_LENGTH, &size.to_string());
    }
    response
}
