//! A small client of the region's registry, over the distribution protocol as any other client.

use crate::client::Client;
use crate::data_dir::{AccessKeyFile, EndpointFile};
use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Longest wait for an answer to begin.
const ANSWER_TIME: Duration = Duration::from_secs(60);
/// Largest manifest, and largest text of an error.
const LARGEST_MANIFEST: usize = 8 << 20;
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
                         application/vnd.docker.distribution.manifest.v2+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json";

/// The registry, with a token of the root key.
pub(crate) struct RegistryClient {
    http: HttpClient<HttpConnector, Full<Bytes>>,
    endpoint: String,
    authorization: String,
}

/// A manifest as the registry gave it.
pub(crate) struct FetchedManifest {
    pub(crate) digest: String,
    pub(crate) media_type: String,
    pub(crate) size: usize,
    pub(crate) value: Value,
}

impl RegistryClient {
    /// Asks for a token.
    pub(crate) async fn connect(endpoint: &EndpointFile, key: &AccessKeyFile) -> Result<Self> {
        let client = Client::new(&endpoint.endpoint, &endpoint.region, key);
        let answer = client.ecr("GetAuthorizationToken", &json!({})).await?;
        let token = answer["authorizationData"][0]["authorizationToken"].as_str();
        Ok(Self {
            http: HttpClient::builder(TokioExecutor::new()).build_http(),
            endpoint: endpoint.endpoint.trim_end_matches('/').to_owned(),
            authorization: format!("Basic {}", token.context("a token in the answer")?),
        })
    }

    /// A manifest by tag or digest.
    pub(crate) async fn manifest(&self, repository: &str, reference: &str) -> Result<FetchedManifest> {
        let request = self.request(Method::GET, &format!("/v2/{repository}/manifests/{reference}"));
        let answer = self.send(request.header(ACCEPT, MANIFESTS), Bytes::new()).await?;
        let header = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = header.unwrap_or_default().to_owned();
        let text = read(answer).await?;
        let digest = sha256(&text);
        ensure!(
            !reference.starts_with("sha256:") || reference == digest,
            "the manifest {reference} has another digest: {digest}"
        );
        let value = serde_json::from_slice(&text).context("read the manifest")?;
        Ok(FetchedManifest { digest, media_type, size: text.len(), value })
    }

    /// A blob, to be read as a stream; whoever reads it checks its digest.
    pub(crate) async fn blob(&self, repository: &str, digest: &str) -> Result<Incoming> {
        let request = self.request(Method::GET, &format!("/v2/{repository}/blobs/{digest}"));
        Ok(self.send(request, Bytes::new()).await?.into_body())
    }

    /// Pushes a blob and returns its digest.
    pub(crate) async fn push_blob(&self, repository: &str, content: Bytes) -> Result<String> {
        let digest = sha256(&content);
        let started = self.request(Method::POST, &format!("/v2/{repository}/blobs/uploads/"));
        let started = self.send(started, Bytes::new()).await?;
        let location = started.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location.context("a place to upload to")?;
        let path = location.strip_prefix(&self.endpoint).unwrap_or(location);
        ensure!(path.starts_with('/'), "the registry names another host to upload to: {location}");
        let separator = if path.contains('?') { '&' } else { '?' };
        let encoded = utf8_percent_encode(&digest, NON_ALPHANUMERIC);
        let request = self.request(Method::PUT, &format!("{path}{separator}digest={encoded}"));
        self.send(request.header(CONTENT_TYPE, "application/octet-stream"), content).await?;
        Ok(digest)
    }

    /// Pushes a manifest under its digest, which it returns.
    pub(crate) async fn push_manifest(&self, repository: &str, manifest: &Value) -> Result<String> {
        let media_type = manifest["mediaType"].as_str().context("a manifest with a media type")?;
        let text = Bytes::from(manifest.to_string());
        let digest = sha256(&text);
        let request = self.request(Method::PUT, &format!("/v2/{repository}/manifests/{digest}"));
        self.send(request.header(CONTENT_TYPE, media_type), text).await?;
        Ok(digest)
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.endpoint))
            .header(AUTHORIZATION, &self.authorization)
    }

    async fn send(&self, request: http::request::Builder, body: Bytes) -> Result<Response<Incoming>> {
        let request = request.body(Full::new(body))?;
        let what = format!("{} {}", request.method(), request.uri().path());
        let answer = tokio::time::timeout(ANSWER_TIME, self.http.request(request)).await;
        let answer = answer.with_context(|| format!("{what}: the registry does not answer in time"))?;
        let answer = answer.with_context(|| format!("reach the region at {}", self.endpoint))?;
        match answer.status() {
            status if status.is_success() => Ok(answer),
            StatusCode::NOT_FOUND => bail!("{what}: there is no such repository, image or blob"),
            status => {
                let text = read(answer).await.unwrap_or_default();
                bail!("{what}: {status}: {}", String::from_utf8_lossy(&text))
            }
        }
    }
}

async fn read(answer: Response<Incoming>) -> Result<Bytes> {
    let body = Limited::new(answer.into_body(), LARGEST_MANIFEST).collect().await;
    Ok(body.map_err(|error| anyhow::anyhow!("read the answer: {error}"))?.to_bytes())
}

pub(crate) fn sha256(content: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(content)))
}
