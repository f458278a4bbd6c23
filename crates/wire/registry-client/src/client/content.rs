//! Manifests and blobs: the reading half of the distribution protocol.

use super::{Call, Client, Repository, drain, innermost, protocol, text, unexpected};
use crate::client::ACCEPT;
use crate::digest::Digest;
use crate::error::RegistryError;
use bytes::Bytes;
use http::{Method, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// A manifest as it came.
pub struct Fetched {
    /// The manifest, byte for byte.
    pub bytes: Bytes,
    /// What the registry calls it.
    pub content_type: Option<String>,
    /// The digest the registry claims.
    pub claimed: Option<String>,
}

/// A blob on its way.
pub struct BlobStream<'a> {
    client: &'a Client,
    url: String,
    body: Incoming,
    /// Bytes to be passed over, when the registry did not honour a range.
    skip: u64,
    /// Bytes from the offset on, if the registry says how many.
    length: Option<u64>,
}

impl Client {
    /// Whether the registry of a repository answers, and takes the credentials there are.
    pub async fn reach(&self, repository: &Repository) -> Result<(), RegistryError> {
        let call = Call {
            method: Method::GET,
            url: repository.root(),
            headers: vec![],
            body: Bytes::new(),
            repository,
            actions: "pull",
        };
        let answer = self.send(&call).await?;
        let status = answer.status();
        drain(answer).await;
        if status == StatusCode::OK { Ok(()) } else { Err(unexpected(&call, "/v2/", status)) }
    }

    /// The digest a tag or digest has at the registry, without fetching it; `None` when the registry does not say.
    pub async fn manifest_digest(
        &self,
        repository: &Repository,
        target: &str,
        what: &str,
    ) -> Result<Option<Digest>, RegistryError> {
        let call = manifest_call(repository, target, Method::HEAD);
        let answer = self.send(&call).await?;
        match answer.status() {
            StatusCode::OK => {
                Ok(text(answer.headers(), "docker-content-digest").and_then(|d| d.parse().ok()))
            }
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Ok(None),
            status => Err(unexpected(&call, what, status)),
        }
    }

    /// A manifest, not verified yet.
    pub async fn manifest(
        &self,
        repository: &Repository,
        target: &str,
        what: &str,
        limit: usize,
    ) -> Result<Fetched, RegistryError> {
        let call = manifest_call(repository, target, Method::GET);
        let answer = self.send(&call).await?;
        if answer.status() != StatusCode::OK {
            return Err(unexpected(&call, what, answer.status()));
        }
        let content_type = text(answer.headers(), "content-type").map(str::to_owned);
        let claimed = text(answer.headers(), "docker-content-digest").map(str::to_owned);
        Ok(Fetched { bytes: self.body(&call.url, answer, limit).await?, content_type, claimed })
    }

    /// A small blob in memory, not verified yet.
    pub async fn small_blob(
        &self,
        repository: &Repository,
        digest: &Digest,
        limit: usize,
    ) -> Result<Bytes, RegistryError> {
        let url = repository.url(&format!("blobs/{digest}"));
        let answer = self.get_blob(repository, digest, 0).await?;
        self.body(&url, answer, limit).await
    }

    /// A blob from `offset` on.
    pub async fn blob(
        &self,
        repository: &Repository,
        digest: &Digest,
        offset: u64,
    ) -> Result<BlobStream<'_>, RegistryError> {
        let url = repository.url(&format!("blobs/{digest}"));
        let answer = self.get_blob(repository, digest, offset).await?;
        let skip = if answer.status() == StatusCode::PARTIAL_CONTENT {
            let range = text(answer.headers(), "content-range").unwrap_or_default();
            if !range.starts_with(&format!("bytes {offset}-")) {
                return Err(protocol(&url, "another range than the one asked for"));
            }
            0
        } else {
            offset
        };
        let length = text(answer.headers(), "content-length").and_then(|length| length.parse::<u64>().ok());
        let length = length.map(|length| length.saturating_sub(skip));
        Ok(BlobStream { client: self, url, body: answer.into_body(), skip, length })
    }

    async fn get_blob(
        &self,
        repository: &Repository,
        digest: &Digest,
        offset: u64,
    ) -> Result<Response<Incoming>, RegistryError> {
        let make = || Call {
            method: Method::GET,
            url: repository.url(&format!("blobs/{digest}")),
            headers: if offset == 0 { Vec::new() } else { vec![(header::RANGE, format!("bytes={offset}-"))] },
            body: Bytes::new(),
            repository,
            actions: "pull",
        };
        let answer = self.get_following(make()).await?;
        match answer.status() {
            StatusCode::OK => Ok(answer),
            StatusCode::PARTIAL_CONTENT if offset > 0 => Ok(answer),
            status => Err(unexpected(&make(), digest.as_str(), status)),
        }
    }
}

fn manifest_call<'a>(repository: &'a Repository, target: &str, method: Method) -> Call<'a> {
    Call {
        method,
        url: repository.url(&format!("manifests/{target}")),
        headers: vec![(header::ACCEPT, ACCEPT.to_owned())],
        body: Bytes::new(),
        repository,
        actions: "pull",
    }
}

impl BlobStream<'_> {
    /// Bytes from the offset on, if the registry says how many.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RegistryError> {
        loop {
            let frame = tokio::select! {
                frame = self.body.frame() => frame,
                () = self.client.environment.sleep(self.client.stall) => {
                    return Err(self.broken("the registry stopped sending"));
                }
            };
            let mut bytes = match frame {
                None => return Ok(None),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => bytes,
                    Err(_trailers) => continue,
                },
                Some(Err(error)) => return Err(self.broken(innermost(&error))),
            };
            let skipped = self.skip.min(bytes.len() as u64);
            self.skip -= skipped;
            let bytes = bytes.split_off(skipped as usize);
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
    }

    fn broken(&self, reason: impl Into<String>) -> RegistryError {
        RegistryError::Body { url: self.url.clone(), reason: reason.into() }
    }
}
