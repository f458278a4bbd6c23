//! Manifests: pushed whole, checked against what they name, found by digest and tag.

use crate::error::RegistryError;
use crate::respond::{DIGEST, Response, SUBJECT, empty, full, json, set};
use crate::route::{Query, is_tag};
use crate::{Inner, Place, blobs};
use access::Caller;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use image_registry::{Deleted, OCI_INDEX, PushImage};
use resources::ecr::{Image, ImageTag, Repository, rows_of};
use serde_json::{Value, json};
use store::Versioned;

/// Largest manifest, as the specification recommends to take at least.
const MOST_BYTES: usize = 4 * 1024 * 1024;

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
        Method::GET | Method::HEAD => get(registry, caller, place, reference, parts).await,
        Method::PUT => {
            let content = read(body).await?;
            put(registry, place, repository, reference, parts, content).await
        }
        Method::DELETE => delete(registry, place, repository, reference).await,
        _ => Err(RegistryError::Unsupported),
    }
}

fn key(place: &Place, last: &str) -> String {
    rows_of(&place.account, &place.name) + last
}

/// The image that a tag or digest names.
async fn find(registry: &Inner, place: &Place, reference: &str) -> Result<Versioned<Image>, RegistryError> {
    let unknown = || RegistryError::ManifestUnknown(reference.to_owned());
    let digest = if reference.contains(':') {
        blobs::parse(reference)?.to_string()
    } else {
        let tag = registry.tables.get::<ImageTag>(&key(place, reference)).await?;
        tag.ok_or_else(unknown)?.digest.clone()
    };
    registry.tables.get::<Image>(&key(place, &digest)).await?.ok_or_else(unknown)
}

async fn get(
    registry: &Inner,
    caller: &Caller,
    place: &Place,
    reference: &str,
    parts: &Parts,
) -> Result<Response, RegistryError> {
    let image = find(registry, place, reference).await?;
    if image.is_archived() {
        // As on ECR, what is in the archive has to be restored first.
        return Err(RegistryError::ManifestUnknown(reference.to_owned()));
    }
    let etag = format!("\"{}\"", image.digest);
    let unchanged =
        parts.headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == etag.as_bytes());
    let mut response = if unchanged {
        empty(StatusCode::NOT_MODIFIED)
    } else if parts.method == Method::HEAD {
        let mut response = empty(StatusCode::OK);
        set(&mut response, header::CONTENT_LENGTH, &image.manifest.len().to_string());
        response
    } else {
        registry.images.pulls().record(&image.value, caller.identity_arn());
        http::Response::new(full(Bytes::copy_from_slice(image.manifest.as_bytes())))
    };
    set(&mut response, header::CONTENT_TYPE, &image.media_type);
    set(&mut response, DIGEST, &image.digest);
    set(&mut response, header::ETAG, &etag);
    Ok(response)
}

async fn read<B>(body: B) -> Result<String, RegistryError>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display + Send,
{
    let body = body.map_err(|error| error.to_string());
    match Limited::new(body, MOST_BYTES).collect().await {
        Ok(collected) => String::from_utf8(collected.to_bytes().to_vec())
            .map_err(|_| RegistryError::ManifestInvalid("the manifest is not UTF-8".to_owned())),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(RegistryError::ManifestTooLarge(MOST_BYTES))
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
    manifest: String,
) -> Result<Response, RegistryError> {
    let (digest, tag) = if reference.contains(':') {
        (Some(blobs::parse(reference)?), None)
    } else if is_tag(reference) {
        (None, Some(reference))
    } else {
        return Err(RegistryError::TagInvalid(reference.chars().take(200).collect()));
    };
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let push = PushImage { manifest, media_type: content_type, digest, tag, complete: true };
    let image = registry.images.push(repository, push).await?.image;
    let digest = image.digest;
    let mut response = empty(StatusCode::CREATED);
    set(&mut response, header::LOCATION, &format!("/v2/{}/manifests/{digest}", place.name));
    set(&mut response, DIGEST, &digest);
    if let Some(subject) = image.subject {
        set(&mut response, SUBJECT, &subject);
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
    let unknown = || RegistryError::ManifestUnknown(reference.to_owned());
    let whole = reference.contains(':');
    let image = find(registry, place, reference).await?;
    let tags = if whole {
        let mut tags = registry.tables.list_all::<ImageTag>(&key(place, "")).await?;
        tags.retain(|tag| tag.digest == image.digest);
        tags
    } else {
        vec![registry.tables.get::<ImageTag>(&key(place, reference)).await?.ok_or_else(unknown)?]
    };
    match registry.images.delete(repository, &image, &tags, whole).await? {
        Deleted::Gone => Ok(empty(StatusCode::ACCEPTED)),
        // Somebody else changed it at the same time; the client decides anew.
        Deleted::Changed => Err(unknown()),
    }
}

/// The manifests that refer to a manifest, as an index.
pub(crate) async fn referrers(
    registry: &Inner,
    place: &Place,
    digest: &str,
    query: &Query,
) -> Result<Response, RegistryError> {
    let digest = blobs::parse(digest)?.to_string();
    let wanted = query.get("artifactType");
    let mut found: Vec<Value> = Vec::new();
    for image in registry.tables.list_all::<Image>(&key(place, "")).await? {
        let of_type = wanted.is_none_or(|wanted| image.artifact_type.as_ref() == Some(wanted));
        if image.subject.as_deref() == Some(&*digest) && of_type {
            let mut descriptor =
                json!({"mediaType": image.media_type, "digest": image.digest, "size": image.manifest.len()});
            if let Some(artifact_type) = &image.artifact_type {
                descriptor["artifactType"] = json!(artifact_type);
            }
            let content: Value = serde_json::from_str(&image.manifest).unwrap_or_default();
            if content["annotations"].is_object() {
                descriptor["annotations"] = content["annotations"].clone();
            }
            found.push(descriptor);
        }
    }
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found});
    let mut response = json(StatusCode::OK, &index);
    set(&mut response, header::CONTENT_TYPE, OCI_INDEX);
    if wanted.is_some() {
        set(&mut response, http::HeaderName::from_static("oci-filters-applied"), "artifactType");
    }
    Ok(response)
}
