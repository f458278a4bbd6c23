//! Blobs and manifests: the writing half of the distribution protocol.

use super::{Call, Client, Repository, absolute, drain, protocol, text, unexpected};
use crate::digest::Digest;
use crate::error::RegistryError;
use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{Method, StatusCode};

/// An upload that has begun.
pub struct Upload {
    location: String,
    /// Bytes that were sent.
    length: u64,
}

impl Client {
    /// Uploads a blob in one piece, unless the registry has it.
    pub async fn upload(
        &self,
        repository: &Repository,
        digest: &Digest,
        bytes: Bytes,
    ) -> Result<(), RegistryError> {
        if self.has_blob(repository, digest).await? {
            return Ok(());
        }
        let upload = self.begin_upload(repository).await?;
        self.finish_upload(repository, upload, digest, bytes).await
    }

    /// Whether a repository has a blob.
    pub async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool, RegistryError> {
        let head =
            call(repository, Method::HEAD, repository.url(&format!("blobs/{digest}")), vec![], Bytes::new());
        match self.send(&head).await?.status() {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            status => Err(unexpected(&head, digest.as_str(), status)),
        }
    }

    /// Begins an upload into a repository.
    pub async fn begin_upload(&self, repository: &Repository) -> Result<Upload, RegistryError> {
        let start = call(repository, Method::POST, repository.url("blobs/uploads/"), vec![], Bytes::new());
        let location = self.accepted(&start).await?;
        Ok(Upload { location, length: 0 })
    }

    /// Sends the next piece of an upload.
    pub async fn send_piece(
        &self,
        repository: &Repository,
        upload: &mut Upload,
        piece: Bytes,
    ) -> Result<(), RegistryError> {
        let end = upload.length + piece.len() as u64;
        let headers = vec![
            (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
            (header::CONTENT_RANGE, format!("{}-{}", upload.length, end.saturating_sub(1))),
        ];
        let patch = call(repository, Method::PATCH, upload.location.clone(), headers, piece);
        upload.location = self.accepted(&patch).await?;
        upload.length = end;
        Ok(())
    }

    /// Where an upload goes on, as the answer to a step of it says.
    async fn accepted(&self, step: &Call<'_>) -> Result<String, RegistryError> {
        let answer = self.send(step).await?;
        if answer.status() != StatusCode::ACCEPTED {
            return Err(unexpected(step, "upload", answer.status()));
        }
        let location = text(answer.headers(), "location").and_then(|location| absolute(&step.url, location));
        drain(answer).await;
        let location = location.ok_or_else(|| protocol(&step.url, "an upload without address"))?;
        // The address may name the registry in its own words; it is reached the way we were told to.
        Ok(step.repository.through_base(&location))
    }

    /// Sends what is left of an upload, and makes it a blob.
    pub async fn finish_upload(
        &self,
        repository: &Repository,
        upload: Upload,
        digest: &Digest,
        bytes: Bytes,
    ) -> Result<(), RegistryError> {
        let location = upload.location;
        let url = format!("{location}{}digest={digest}", if location.contains('?') { '&' } else { '?' });
        let headers = vec![(header::CONTENT_TYPE, "application/octet-stream".to_owned())];
        let put = call(repository, Method::PUT, url, headers, bytes);
        let answer = self.send(&put).await?;
        let status = answer.status();
        drain(answer).await;
        if status == StatusCode::CREATED { Ok(()) } else { Err(unexpected(&put, digest.as_str(), status)) }
    }

    /// Puts a manifest under a tag or its digest.
    pub async fn put_manifest(
        &self,
        repository: &Repository,
        target: &str,
        media_type: &str,
        bytes: Bytes,
    ) -> Result<(), RegistryError> {
        let url = repository.url(&format!("manifests/{target}"));
        let put =
            call(repository, Method::PUT, url, vec![(header::CONTENT_TYPE, media_type.to_owned())], bytes);
        let answer = self.send(&put).await?;
        let status = answer.status();
        drain(answer).await;
        if status == StatusCode::CREATED { Ok(()) } else { Err(unexpected(&put, target, status)) }
    }
}

fn call(
    repository: &Repository,
    method: Method,
    url: String,
    headers: Vec<(HeaderName, String)>,
    body: Bytes,
) -> Call<'_> {
    Call { method, url, headers, body, repository, actions: "pull,push" }
}
