//! Manifests and blobs: the reading half of the distribution protocol.

use super::{Call, Client, Repository, drain, innermost, text, unexpected};
use crate::client::ACCEPT;
use crate::digest::Digest;
use crate::error::RegistryError;
use bytes::Bytes;
use environment::Environment;
use http::{Method, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::time::Duration;

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
pub struct BlobStream {
    environment: Environment,
    stall: Duration,
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
        let answer = self.get_whole(repository, digest).await?;
        self.body(&url, answer, limit).await
    }

    /// A blob from `offset` on. A registry that does not know ranges sends all of it, and what lies before is passed over.
    pub async fn blob(
        &self,
        repository: &Repository,
        digest: &Digest,
        offset: u64,
    ) -> Result<BlobStream, RegistryError> {
        if offset == 0 {
            return self.whole_blob(repository, digest, 0).await;
        }
        let call = blob_call(repository, digest, Some(format!("bytes={offset}-")));
        let (answer, url) = self.get_following(call).await?;
        match answer.status() {
            StatusCode::OK => Ok(self.stream(url, answer, offset)),
            StatusCode::PARTIAL_CONTENT => {
                let range = text(answer.headers(), "content-range").unwrap_or_default();
                if range.starts_with(&format!("bytes {offset}-")) {
                    Ok(self.stream(url, answer, 0))
                } else {
                    Err(out_of_range(&url, "another range than the one asked for"))
                }
            }
            StatusCode::RANGE_NOT_SATISFIABLE => Err(out_of_range(&url, "the range is refused")),
            status => Err(unexpected(&blob_call(repository, digest, None), digest.as_str(), status)),
        }
    }

    /// A blob, all of which is asked for and whose first bytes are passed over: for registries whose ranges are wrong.
    pub async fn whole_blob(
        &self,
        repository: &Repository,
        digest: &Digest,
        pass_over: u64,
    ) -> Result<BlobStream, RegistryError> {
        let answer = self.get_whole(repository, digest).await?;
        Ok(self.stream(repository.url(&format!("blobs/{digest}")), answer, pass_over))
    }

    async fn get_whole(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Response<Incoming>, RegistryError> {
        let (answer, _) = self.get_following(blob_call(repository, digest, None)).await?;
        match answer.status() {
            StatusCode::OK => Ok(answer),
            status => Err(unexpected(&blob_call(repository, digest, None), digest.as_str(), status)),
        }
    }

    pub(super) fn stream(&self, url: String, answer: Response<Incoming>, skip: u64) -> BlobStream {
        let length = text(answer.headers(), "content-length").and_then(|length| length.parse::<u64>().ok());
        BlobStream {
            environment: self.environment.clone(),
            stall: self.stall,
            url,
            length: length.map(|length| length.saturating_sub(skip)),
            body: answer.into_body(),
            skip,
        }
    }
}

pub(super) fn blob_call<'a>(repository: &'a Repository, digest: &Digest, range: Option<String>) -> Call<'a> {
    Call {
        method: Method::GET,
        url: repository.url(&format!("blobs/{digest}")),
        headers: range.map(|range| (header::RANGE, range)).into_iter().collect(),
        body: Bytes::new(),
        repository,
        actions: "pull",
    }
}

pub(super) fn out_of_range(url: &str, reason: &str) -> RegistryError {
    RegistryError::Range { url: url.to_owned(), reason: reason.to_owned() }
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

impl BlobStream {
    /// Bytes from the offset on, if the registry says how many.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RegistryError> {
        loop {
            let frame = tokio::select! {
                frame = self.body.frame() => frame,
                () = self.environment.sleep(self.stall) => {
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
