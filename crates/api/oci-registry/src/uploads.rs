//! Uploads: whole, in chunks, or mounted from another repository.

use crate::blobs::parse;
use crate::error::RegistryError;
use crate::respond::{DIGEST, Response, UPLOAD, empty, set};
use crate::route::Query;
use crate::{Inner, Place};
use blob_store::{Digest, UploadId};
use bytes::Bytes;
use futures::StreamExt;
use http::request::Parts;
use http::{Method, StatusCode, header};
use http_body_util::BodyDataStream;

/// `POST /blobs/uploads/`: a mount, a whole blob, or the beginning of an upload.
pub(crate) async fn start<B>(
    registry: &Inner,
    place: &Place,
    query: &Query,
    parts: &Parts,
    body: B,
) -> Result<Response, RegistryError>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display + Send,
{
    if parts.method != Method::POST {
        return Err(RegistryError::Unsupported);
    }
    let wanted = query.get("digest").map(|digest| parse(digest)).transpose()?;
    let id = registry.blobs.start_upload(&scope(place)).await?;
    match wanted {
        Some(digest) => {
            append(registry, &id, None, body).await?;
            finish(registry, place, &id, &digest).await
        }
        None => Ok(progress(StatusCode::ACCEPTED, place, &id, 0)),
    }
}

/// `/blobs/uploads/ID`.
pub(crate) async fn handle<B>(
    registry: &Inner,
    place: &Place,
    id: &str,
    query: &Query,
    parts: &Parts,
    body: B,
) -> Result<Response, RegistryError>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display + Send,
{
    let id: UploadId = id.parse()?;
    if !id.is_of(&scope(place)) {
        return Err(RegistryError::UploadUnknown);
    }
    match parts.method {
        Method::GET | Method::HEAD => {
            let length = registry.blobs.upload_length(&id).await?;
            Ok(progress(StatusCode::NO_CONTENT, place, &id, length))
        }
        Method::PATCH => {
            let length = append(registry, &id, chunk_start(parts)?, body).await?;
            Ok(progress(StatusCode::ACCEPTED, place, &id, length))
        }
        Method::PUT => {
            let digest = query.get("digest");
            let digest =
                parse(digest.ok_or_else(|| RegistryError::DigestInvalid("digest is missing".to_owned()))?)?;
            append(registry, &id, chunk_start(parts)?, body).await?;
            finish(registry, place, &id, &digest).await
        }
        Method::DELETE => {
            registry.blobs.cancel_upload(&id).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        _ => Err(RegistryError::Unsupported),
    }
}

/// Where a chunk says it begins. Docker sends chunks without saying, which then go to the end.
fn chunk_start(parts: &Parts) -> Result<Option<u64>, RegistryError> {
    let Some(value) = parts.headers.get(header::CONTENT_RANGE) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let text = text.strip_prefix("bytes ").unwrap_or(text);
    let wrong = || RegistryError::UploadInvalid(format!("not a content range: {text}"));
    let (start, last) = text.split('/').next().unwrap_or(text).split_once('-').ok_or_else(wrong)?;
    let (start, last): (u64, u64) =
        start.trim().parse().ok().zip(last.trim().parse().ok()).ok_or_else(wrong)?;
    let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let length: Option<u64> = length.and_then(|length| length.parse().ok());
    let said = last.checked_sub(start).and_then(|length| length.checked_add(1));
    // Some clients say `0-0` and send nothing with it.
    match (said, length) {
        (None, _) => Err(wrong()),
        (Some(said), Some(length)) if said != length && length > 0 => Err(RegistryError::SizeInvalid(
            format!("the content range has {said} bytes and the content {length}"),
        )),
        _ => Ok(Some(start)),
    }
}

/// What tells the uploads of a repository from others'.
fn scope(place: &Place) -> String {
    format!("{}/{}", place.account, place.name)
}

async fn append<B>(registry: &Inner, id: &UploadId, at: Option<u64>, body: B) -> Result<u64, RegistryError>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display + Send,
{
    let metrics = &registry.metrics;
    let content = BodyDataStream::new(body)
        .map(|chunk| chunk.inspect(|chunk| metrics.received(chunk.len())).map_err(|error| error.to_string()));
    Ok(registry.blobs.append(id, at, content).await?)
}

async fn finish(
    registry: &Inner,
    place: &Place,
    id: &UploadId,
    digest: &Digest,
) -> Result<Response, RegistryError> {
    let checked = registry.blobs.check_upload(id, digest).await?;
    registry.images.keep_upload(&place.account, &place.name, digest, checked).await?;
    Ok(created(place, digest))
}

pub(crate) fn created(place: &Place, digest: &Digest) -> Response {
    let mut response = empty(StatusCode::CREATED);
    set(&mut response, header::LOCATION, &format!("/v2/{}/blobs/{digest}", place.path));
    set(&mut response, DIGEST, &digest.to_string());
    response
}

fn progress(status: StatusCode, place: &Place, id: &UploadId, length: u64) -> Response {
    let mut response = empty(status);
    set(&mut response, header::LOCATION, &format!("/v2/{}/blobs/uploads/{id}", place.path));
    set(&mut response, header::RANGE, &format!("0-{}", length.saturating_sub(1)));
    set(&mut response, UPLOAD, &id.to_string());
    response
}
