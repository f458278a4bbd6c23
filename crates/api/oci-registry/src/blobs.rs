//! Reading and deleting blobs.

use crate::error::RegistryError;
use crate::respond::{DIGEST, Response, empty, set};
use crate::{Inner, Place};
use blob_store::{BlobRange, Digest};
use futures::TryStreamExt;
use http::request::Parts;
use http::{Method, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use resources::ecr::{BlobLink, rows_of};

pub(crate) async fn handle(
    registry: &Inner,
    place: &Place,
    digest: &str,
    parts: &Parts,
) -> Result<Response, RegistryError> {
    let digest = parse(digest)?;
    let link = link(registry, place, &digest).await?;
    let link = link.ok_or_else(|| RegistryError::BlobUnknown(digest.to_string()))?;
    match parts.method {
        Method::HEAD => {
            let mut response = empty(StatusCode::OK);
            describe(&mut response, &digest);
            set(&mut response, header::CONTENT_LENGTH, &link.size.to_string());
            Ok(response)
        }
        Method::GET => read(registry, &digest, parts).await,
        Method::DELETE => {
            registry.tables.batch().delete_any::<BlobLink>(&key(place, &digest)).commit().await?;
            Ok(empty(StatusCode::ACCEPTED))
        }
        _ => Err(RegistryError::Unsupported),
    }
}

/// The row that makes a blob visible in a repository, if the blob is really there.
pub(crate) async fn link(
    registry: &Inner,
    place: &Place,
    digest: &Digest,
) -> Result<Option<BlobLink>, RegistryError> {
    Ok(registry.images.link(&place.account, &place.name, digest).await?)
}

/// Makes a blob visible in a repository.
pub(crate) async fn add_link(
    registry: &Inner,
    place: &Place,
    digest: &Digest,
    size: u64,
) -> Result<(), RegistryError> {
    Ok(registry.images.add_link(&place.account, &place.name, digest, size).await?)
}

fn key(place: &Place, digest: &Digest) -> String {
    format!("{}{digest}", rows_of(&place.account, &place.name))
}

pub(crate) fn parse(text: &str) -> Result<Digest, RegistryError> {
    text.parse().map_err(|_| RegistryError::DigestInvalid(format!("not a digest: {text}")))
}

fn describe(response: &mut Response, digest: &Digest) {
    set(response, DIGEST, &digest.to_string());
    set(response, header::ETAG, &format!("\"{digest}\""));
    set(response, header::CONTENT_TYPE, "application/octet-stream");
    set(response, header::ACCEPT_RANGES, "bytes");
}

async fn read(registry: &Inner, digest: &Digest, parts: &Parts) -> Result<Response, RegistryError> {
    let wanted = parts.headers.get(header::RANGE).and_then(|value| value.to_str().ok()).and_then(range);
    let blob = registry.blobs.read(digest, wanted.unwrap_or(BlobRange::All)).await?;
    let frames = blob.stream.map_ok(Frame::data).map_err(Into::into);
    let mut response = http::Response::new(BodyExt::boxed_unsync(StreamBody::new(frames)));
    describe(&mut response, digest);
    set(&mut response, header::CONTENT_LENGTH, &blob.length.to_string());
    if wanted.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let last = (blob.start + blob.length).saturating_sub(1);
        set(&mut response, header::CONTENT_RANGE, &format!("bytes {}-{last}/{}", blob.start, blob.size));
    }
    Ok(response)
}

/// One range of bytes. A list of ranges, or what cannot be read, gives the whole blob, as HTTP allows.
fn range(text: &str) -> Option<BlobRange> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        return last.parse().ok().map(BlobRange::Last);
    }
    let start = first.parse().ok()?;
    let end = if last.is_empty() { None } else { Some(last.parse::<u64>().ok()?.checked_add(1)?) };
    if end.is_some_and(|end| end <= start) {
        return None;
    }
    Some(BlobRange::Bytes { start, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(range("bytes=0-9"), Some(BlobRange::Bytes { start: 0, end: Some(10) }));
        assert_eq!(range("bytes=5-"), Some(BlobRange::Bytes { start: 5, end: None }));
        assert_eq!(range("bytes=-5"), Some(BlobRange::Last(5)));
        for bad in ["bytes=9-1", "bytes=a-b", "bytes=0-1,3-4", "lines=0-1", "bytes=0-18446744073709551615"] {
            assert_eq!(range(bad), None, "{bad}");
        }
    }
}
