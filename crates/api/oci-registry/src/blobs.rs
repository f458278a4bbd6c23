//! Reading and deleting blobs.

use crate::error::RegistryError;
use crate::local::{BlobFile, ByReference};
use crate::respond::{Body, DIGEST, Response, empty, is_known, set};
use crate::{Inner, Place, range};
use blob_store::{BlobRange, Digest, OpenedBlob, ReadBlob};
use file_body::{FileBody, Files};
use futures::TryStreamExt;
use http::request::Parts;
use http::{Method, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use resources::ecr::BlobLink;
use std::convert::Infallible;
use std::sync::Arc;

pub(crate) async fn handle(
    registry: &Inner,
    place: &Place,
    digest: &str,
    parts: &Parts,
) -> Result<Response, RegistryError> {
    let digest = parse(digest)?;
    let unknown = || RegistryError::BlobUnknown(digest.to_string());
    match parts.method {
        Method::HEAD => {
            let link =
                registry.images.link(&place.account, &place.name, &digest).await?.ok_or_else(unknown)?;
            let mut response = empty(StatusCode::OK);
            describe(&mut response, &digest);
            set(&mut response, header::CONTENT_LENGTH, &link.size.to_string());
            Ok(response)
        }
        Method::GET => {
            // Reading tells by itself whether the blob is there.
            let link = registry.tables.get::<BlobLink>(&place.row(&digest.to_string())).await?;
            link.ok_or_else(unknown)?;
            get(registry, &digest, parts).await
        }
        Method::DELETE => {
            registry.images.link(&place.account, &place.name, &digest).await?.ok_or_else(unknown)?;
            let gone = registry.images.unlink(&place.account, &place.name, &digest).await?;
            if gone { Ok(empty(StatusCode::ACCEPTED)) } else { Err(RegistryError::BlobInUse) }
        }
        _ => Err(RegistryError::Unsupported),
    }
}

pub(crate) fn parse(text: &str) -> Result<Digest, RegistryError> {
    let shown = || text.chars().take(200).collect::<String>();
    text.parse().map_err(|_| RegistryError::DigestInvalid(format!("not a digest: {}", shown())))
}

fn etag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}

fn describe(response: &mut Response, digest: &Digest) {
    set(response, DIGEST, &digest.to_string());
    set(response, header::ETAG, &etag(digest));
    set(response, header::CONTENT_TYPE, "application/octet-stream");
    set(response, header::ACCEPT_RANGES, "bytes");
}

async fn get(registry: &Inner, digest: &Digest, parts: &Parts) -> Result<Response, RegistryError> {
    if is_known(parts, &etag(digest)) {
        let mut response = empty(StatusCode::NOT_MODIFIED);
        describe(&mut response, digest);
        return Ok(response);
    }
    if parts.extensions.get::<ByReference>().is_some()
        && let Some(opened) = registry.blobs.open_file(digest, BlobRange::All).await?
    {
        registry.metrics.shared();
        let mut response = empty(StatusCode::OK);
        describe(&mut response, digest);
        response.extensions_mut().insert(BlobFile(Arc::new(opened.file)));
        return Ok(response);
    }
    if let Some(life) = registry.config.redirect_for
        && let Some(address) = registry.blobs.download_url(digest, life).await?
    {
        let mut response = empty(StatusCode::TEMPORARY_REDIRECT);
        describe(&mut response, digest);
        set(&mut response, header::LOCATION, &address);
        return Ok(response);
    }
    let wanted = wanted(digest, parts);
    let found = find(registry, digest, wanted.unwrap_or(BlobRange::All), parts).await?;
    registry.metrics.sent(found.length);
    let mut response = http::Response::new(found.body);
    describe(&mut response, digest);
    set(&mut response, header::CONTENT_LENGTH, &found.length.to_string());
    if wanted.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let last = (found.start + found.length).saturating_sub(1);
        set(&mut response, header::CONTENT_RANGE, &format!("bytes {}-{last}/{}", found.start, found.size));
    }
    Ok(response)
}

/// A range of a blob on its way to a client.
struct Found {
    size: u64,
    start: u64,
    length: u64,
    body: Body,
}

/// The range of a blob, which the connection sends out of the blob's file if it can.
async fn find(
    registry: &Inner,
    digest: &Digest,
    range: BlobRange,
    parts: &Parts,
) -> Result<Found, RegistryError> {
    if let Some(files) = parts.extensions.get::<Files>()
        && let Some(OpenedBlob { file, size, start, length }) =
            registry.blobs.open_file(digest, range).await?
    {
        let body = FileBody::new(files.clone(), Arc::new(file), start, length);
        let body = body.map_err(|never: Infallible| match never {}).boxed_unsync();
        return Ok(Found { size, start, length, body });
    }
    let ReadBlob { size, start, length, stream } = registry.blobs.read(digest, range).await?;
    let frames = stream.map_ok(Frame::data).map_err(Into::into);
    Ok(Found { size, start, length, body: BodyExt::boxed_unsync(StreamBody::new(frames)) })
}

/// The range that is asked for, if the blob is still the one that the client has the rest of.
fn wanted(digest: &Digest, parts: &Parts) -> Option<BlobRange> {
    let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let same = text(header::IF_RANGE).is_none_or(|known| known == etag(digest));
    text(header::RANGE).filter(|_| same).and_then(range::parse)
}
