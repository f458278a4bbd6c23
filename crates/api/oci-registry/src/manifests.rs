//! Manifests: pushed whole, found by digest and tag.

use crate::error::RegistryError;
use crate::respond::{DIGEST, Response, SUBJECT, WARNING, empty, full, is_known, set};
use crate::{Inner, Place, blobs, replication};
use access::Caller;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use image_registry::{Deleted, MOST_MANIFEST_BYTES, PushImage, is_tag};
use resources::ecr::{Image, ImageTag, Repository};
use store::Versioned;

pub(crate) async fn handle<B>(
    registry: &Inner,
    caller: &Caller,
    (place, repository): (&Place, &Repository),
    reference: &str,
    parts: &Parts,
    body: B,
) -> Result<Response, RegistryError>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display + Send,
{
    match parts.method {
        Method::GET | Method::HEAD => {
            let image = find(registry, place, reference).await?;
            if image.is_archived() {
                return Err(RegistryError::ManifestUnknown(reference.to_owned()));
            }
            if parts.method == Method::GET {
                registry.images.pulls().record(&image.value, caller.identity_arn());
            }
            Ok(get(&image, parts))
        }
        Method::PUT => {
            let content = read(body).await?;
            put(registry, place, repository, reference, parts, content).await
        }
        Method::DELETE => delete(registry, place, repository, reference).await,
        _ => Err(RegistryError::Unsupported),
    }
}

/// The image that a tag or digest names.
async fn find(registry: &Inner, place: &Place, reference: &str) -> Result<Versioned<Image>, RegistryError> {
    let unknown = || RegistryError::ManifestUnknown(reference.chars().take(200).collect());
    if reference.contains(':') {
        let digest = blobs::parse(reference)?.to_string();
        return registry.tables.get::<Image>(&place.row(&digest)).await?.ok_or_else(unknown);
    }
    let tag = registry.tables.get::<ImageTag>(&place.row(reference)).await?.ok_or_else(unknown)?;
    registry.tables.get::<Image>(&place.row(&tag.digest)).await?.ok_or_else(unknown)
}

fn get(image: &Image, parts: &Parts) -> Response {
    let etag = format!("\"{}\"", image.digest);
    let mut response = if is_known(parts, &etag) {
        empty(StatusCode::NOT_MODIFIED)
    } else if parts.method == Method::HEAD {
        let mut response = empty(StatusCode::OK);
        set(&mut response, header::CONTENT_LENGTH, &image.manifest.len().to_string());
        response
    } else {
        http::Response::new(full(Bytes::copy_from_slice(image.manifest.as_bytes())))
    };
    set(&mut response, header::CONTENT_TYPE, &image.media_type);
    set(&mut response, DIGEST, &image.digest);
    set(&mut response, header::ETAG, &etag);
    response
}

async fn read<B>(body: B) -> Result<String, RegistryError>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display + Send,
{
    let body = body.map_err(|error| error.to_string());
    match Limited::new(body, MOST_MANIFEST_BYTES).collect().await {
        Ok(collected) => String::from_utf8(collected.to_bytes().to_vec())
            .map_err(|_| RegistryError::ManifestInvalid("the manifest is not UTF-8".to_owned())),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(RegistryError::ManifestTooLarge(MOST_MANIFEST_BYTES))
        }
        Err(error) => Err(RegistryError::ManifestInvalid(format!("the manifest did not arrive: {error}"))),
    }
}

async fn put(
    registry: &Inner,
    place: &Place,
    repository: &Repository,
    reference: &str,
    parts: &Parts,
    content: String,
) -> Result<Response, RegistryError> {
    let (digest, tag) = if reference.contains(':') {
        (Some(blobs::parse(reference)?), None)
    } else if is_tag(reference) {
        (None, Some(reference))
    } else {
        return Err(RegistryError::TagInvalid(reference.chars().take(200).collect()));
    };
    let media_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    // Copies are not copied on.
    let replicate = !replication::is_copy(parts);
    let push = PushImage { manifest: content, media_type, digest, tag, complete: true, replicate };
    let pushed = registry.images.push(repository, push).await?;
    let image = &pushed.image;
    let mut response = empty(StatusCode::CREATED);
    set(&mut response, header::LOCATION, &format!("/v2/{}/manifests/{}", place.path, image.digest));
    set(&mut response, DIGEST, &image.digest);
    if let Some(subject) = &image.subject {
        set(&mut response, SUBJECT, subject);
    }
    if !pushed.says_its_type {
        let text = "299 - \"the manifest has no mediaType, so clients have to guess what it is\"";
        set(&mut response, WARNING, text);
    }
    Ok(response)
}

/// A tag is taken off its image; a digest removes the image with all its tags.
async fn delete(
    registry: &Inner,
    place: &Place,
    repository: &Repository,
    reference: &str,
) -> Result<Response, RegistryError> {
    let unknown = || RegistryError::ManifestUnknown(reference.chars().take(200).collect());
    let whole = reference.contains(':');
    let image = find(registry, place, reference).await?;
    let tags = if whole {
        let mut tags = registry.tables.list_all::<ImageTag>(&place.row("")).await?;
        tags.retain(|tag| tag.digest == image.digest);
        tags
    } else {
        vec![registry.tables.get::<ImageTag>(&place.row(reference)).await?.ok_or_else(unknown)?]
    };
    match registry.images.delete(repository, &image, &tags, whole).await? {
        Deleted::Gone => Ok(empty(StatusCode::ACCEPTED)),
        // Somebody else changed it at the same time; the client decides anew.
        Deleted::Changed => Err(unknown()),
    }
}
