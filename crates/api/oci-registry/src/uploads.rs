//! Uploads: whole, in chunks, or mounted from another repository.

use crate::blobs::{add_link, link, parse};
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
    if let (Some(digest), Some(from)) = (query.get("mount"), query.get("from")) {
        let digest = parse(digest)?;
        let source = Place { account: place.account.clone(), name: from.clone() };
        if let Some(link) = link(registry, &source, &digest).await? {
            add_link(registry, place, &digest, link.size).await?;
            return Ok(created(place, &digest));
        }
    }
    let wanted = query.get("digest").map(|digest| parse(digest)).transpose()?;
    let id = registry.blobs.start_upload().await?;
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
    match parts.method {
        Method::GET => {
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
    let start = text.split('-').next().and_then(|start| start.parse().ok());
    start.map(Some).ok_or_else(|| RegistryError::UploadInvalid(format!("not a content range: {text}")))
}

async fn append<B>(registry: &Inner, id: &UploadId, at: Option<u64>, body: B) -> Result<u64, RegistryError>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display + Send,
{
    let content = BodyDataStream::new(body).map(|chunk| chunk.map_err(|error| error.to_string()));
    Ok(registry.blobs.append(id, at, content).await?)
}

async fn finish(
    registry: &Inner,
    place: &Place,
    id: &UploadId,
    digest: &Digest,
) -> Result<Response, RegistryError> {
    let size = registry.blobs.finish_upload(id, digest).await?;
    add_link(registry, place, digest, size).await?;
    Ok(created(place, digest))
}

fn created(place: &Place, digest: &Digest) -> Response {
    let mut response = empty(StatusCode::CREATED);
    set(&mut response, header::LOCATION, &format!("/v2/{}/blobs/{digest}", place.name));
    set(&mut response, DIGEST, &digest.to_string());
    response
}

fn progress(status: StatusCode, place: &Place, id: &UploadId, length: u64) -> Response {
    let mut response = empty(status);
    set(&mut response, header::LOCATION, &format!("/v2/{}/blobs/uploads/{id}", place.name));
    set(&mut response, header::RANGE, &format!("0-{}", length.saturating_sub(1)));
    set(&mut response, UPLOAD, &id.to_string());
    response
}
