//! Blobs and manifests: the writing half of the distribution protocol.

use super::{Call, Client, Repository, absolute, drain, protocol, text, unexpected};
use crate::digest::Digest;
use crate::error::RegistryError;
use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{Method, StatusCode};

impl Client {
    /// Uploads a blob in one piece, unless the registry has it.
    pub async fn upload(
        &self,
        repository: &Repository,
        digest: &Digest,
        bytes: Bytes,
    ) -> Result<(), RegistryError> {
        let head =
            call(repository, Method::HEAD, repository.url(&format!("blobs/{digest}")), vec![], Bytes::new());
        let answer = self.send(&head).await?;
        match answer.status() {
            StatusCode::OK => return Ok(()),
            StatusCode::NOT_FOUND => {}
            status => return Err(unexpected(&head, digest.as_str(), status)),
        }
        let start = call(repository, Method::POST, repository.url("blobs/uploads/"), vec![], Bytes::new());
        let answer = self.send(&start).await?;
        if answer.status() != StatusCode::ACCEPTED {
            return Err(unexpected(&start, "upload", answer.status()));
        }
        let location = text(answer.headers(), "location").and_then(|location| absolute(&start.url, location));
        drain(answer).await;
        let location = location.ok_or_else(|| protocol(&start.url, "an upload without address"))?;
        // The address may name the registry in its own words; it is reached the way we were told to.
        let location = repository.through_base(&location);
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
