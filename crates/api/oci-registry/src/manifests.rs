//! Manifests: pushed whole, checked against what they name, found by digest and tag.

mod document;

use crate::error::RegistryError;
use crate::respond::{DIGEST, Response, SUBJECT, empty, full, json, set};
use crate::route::{Query, is_tag};
use crate::{Inner, Place, blobs};
use blob_store::{Algorithm, Digest};
use bytes::Bytes;
use document::Document;
use http::request::Parts;
use http::{Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use resources::ecr::{Image, ImageTag, Repository, StorageClass, rows_of};
use serde_json::{Value, json};
use store::Versioned;

/// Largest manifest, as the specification recommends to take at least.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Attempts at a tag that others move at the same time.
const MOST_ATTEMPTS: usize = 20;

pub(crate) async fn handle<B>(
    registry: &Inner,
    place: &Place,
    repository: &Repository,
    reference: &str,
    parts: &Parts,
    body: B,
) -> Result<Response, RegistryError>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display + Send,
{
    match parts.method {
        Method::GET | Method::HEAD => get(registry, place, reference, parts).await,
        Method::PUT => {
            let content = read(body).await?;
            put(registry, place, repository, reference, parts, content).await
        }
        Method::DELETE => delete(registry, place, reference).await,
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
    place: &Place,
    reference: &str,
    parts: &Parts,
) -> Result<Response, RegistryError> {
    let image = find(registry, place, reference).await?;
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
        let wanted = blobs::parse(reference)?;
        let found = Digest::by(wanted.algorithm(), manifest.as_bytes());
        if found != wanted {
            return Err(RegistryError::DigestInvalid(format!(
                "the manifest has digest {found}, not {wanted}"
            )));
        }
        (found, None)
    } else if is_tag(reference) {
        (Digest::by(Algorithm::Sha256, manifest.as_bytes()), Some(reference))
    } else {
        return Err(RegistryError::TagInvalid(reference.chars().take(200).collect()));
    };
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let document = Document::read(&manifest, content_type)?;
    let pushing = registry.pushing.read().await;
    check_references(registry, place, &document).await?;
    let image = Image {
        account: place.account.clone(),
        repository: place.name.clone(),
        digest: digest.to_string(),
        media_type: document.media_type,
        artifact_type: document.artifact_type,
        size: document.size,
        blobs: document.blobs,
        children: document.children,
        subject: document.subject.clone(),
        manifest,
        pushed_at: registry.tables.environment().now(),
        storage_class: StorageClass::Standard,
        archived_at: None,
        activated_at: None,
    };
    write(registry, place, repository, &image, tag).await?;
    drop(pushing);
    let mut response = empty(StatusCode::CREATED);
    set(&mut response, header::LOCATION, &format!("/v2/{}/manifests/{digest}", place.name));
    set(&mut response, DIGEST, &digest.to_string());
    if let Some(subject) = document.subject {
        set(&mut response, SUBJECT, &subject);
    }
    Ok(response)
}

async fn check_references(registry: &Inner, place: &Place, document: &Document) -> Result<(), RegistryError> {
    for digest in &document.required_blobs {
        let parsed = blobs::parse(digest)?;
        if blobs::link(registry, place, &parsed).await?.is_none() {
            return Err(RegistryError::ManifestBlobUnknown(digest.clone()));
        }
    }
    for digest in &document.children {
        if registry.tables.get::<Image>(&key(place, digest)).await?.is_none() {
            return Err(RegistryError::ManifestBlobUnknown(digest.clone()));
        }
    }
    Ok(())
}

/// Writes the image and moves the tag, together.
async fn write(
    registry: &Inner,
    place: &Place,
    repository: &Repository,
    image: &Image,
    tag: Option<&str>,
) -> Result<(), RegistryError> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let mut batch = registry.tables.batch();
        if registry.tables.get::<Image>(&key(place, &image.digest)).await?.is_none() {
            batch = batch.create(image);
        }
        if let Some(tag) = tag {
            let row = ImageTag {
                account: place.account.clone(),
                repository: place.name.clone(),
                tag: tag.to_owned(),
                digest: image.digest.clone(),
                tagged_at: image.pushed_at,
            };
            batch = match registry.tables.get::<ImageTag>(&key(place, tag)).await? {
                None => batch.create(&row),
                Some(old) if old.digest == image.digest => batch.require_unchanged(&old),
                Some(_) if repository.is_immutable(tag) => {
                    return Err(RegistryError::TagImmutable(tag.to_owned()));
                }
                Some(old) => batch.replace(&old, &row),
            };
        }
        match batch.commit().await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_conflict() && attempts < MOST_ATTEMPTS => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A tag is taken off its image; a digest removes the image with all its tags.
async fn delete(registry: &Inner, place: &Place, reference: &str) -> Result<Response, RegistryError> {
    let mut batch = registry.tables.batch();
    if reference.contains(':') {
        let image = find(registry, place, reference).await?;
        for tag in registry.tables.list_all::<ImageTag>(&key(place, "")).await? {
            if tag.digest == image.digest {
                batch = batch.delete(&tag);
            }
        }
        batch = batch.delete(&image);
    } else {
        let tag = registry.tables.get::<ImageTag>(&key(place, reference)).await?;
        batch = batch.delete(&tag.ok_or_else(|| RegistryError::ManifestUnknown(reference.to_owned()))?);
    }
    match batch.commit().await {
        Ok(_) => Ok(empty(StatusCode::ACCEPTED)),
        // Somebody else changed it at the same time; the client decides anew.
        Err(error) if error.is_conflict() => Err(RegistryError::ManifestUnknown(reference.to_owned())),
        Err(error) => Err(error.into()),
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
    let index = json!({"schemaVersion": 2, "mediaType": document::OCI_INDEX, "manifests": found});
    let mut response = json(StatusCode::OK, &index);
    set(&mut response, header::CONTENT_TYPE, document::OCI_INDEX);
    if wanted.is_some() {
        set(&mut response, http::HeaderName::from_static("oci-filters-applied"), "artifactType");
    }
    Ok(response)
}
