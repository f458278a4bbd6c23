//! What the registry needs besides its requests: collecting, verifying, and its metrics.

use access::{Caller, CallerKind};
use api_ecr::UpstreamCheck;
use api_server::{HttpHandler, Response, full};
use environment::Environment;
use http::{Method, StatusCode};
use hyper::body::Incoming;
use identifiers::AccountId;
use image_registry::{GRACE, ImageRegistry};
use oci_registry::Registry;
use resources::ecr::PullThroughCacheRule;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Where the region's metrics are read.
pub(crate) const METRICS_PATH: &str = "/_longshore/metrics";
/// Where blobs are verified and collected on request.
pub(crate) const PATH: &str = "/_longshore/registry/";
/// Time between two collections of unused blobs.
const COLLECT: Duration = Duration::from_secs(3600);

/// Collects now, since an earlier collection may have been cut off, and from time to time.
pub(super) async fn collect(images: ImageRegistry, environment: Environment, shutdown: CancellationToken) {
    loop {
        let collected = tokio::select! {
            collected = images.collect(GRACE) => collected,
            () = shutdown.cancelled() => return,
        };
        match collected {
            Ok(done) => {
                tracing::info!(blobs = done.blobs, bytes = done.bytes, links = done.links, "collected");
            }
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "cannot collect"),
        }
        tokio::select! {
            () = environment.sleep(COLLECT) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// Serves the metrics to everybody who reaches the endpoint: they name no repository and no caller.
pub(super) struct MetricsHandler(pub(super) Registry);

#[async_trait::async_trait]
impl HttpHandler for MetricsHandler {
    fn serves(&self, path: &str) -> bool {
        path == METRICS_PATH
    }

    fn signing_name(&self) -> Option<&'static str> {
        None
    }

    async fn handle(&self, request: http::Request<Incoming>, _caller: Option<Caller>) -> Response {
        if request.method() != Method::GET {
            return answer(StatusCode::METHOD_NOT_ALLOWED, "use GET".to_owned());
        }
        let mut response = answer(StatusCode::OK, self.0.metrics());
        let kind = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
        response
    }
}

/// Asks other registries for the ECR API.
pub(super) struct Upstreams(pub(super) Registry);

#[async_trait::async_trait]
impl UpstreamCheck for Upstreams {
    async fn check(&self, rule: &PullThroughCacheRule) -> Result<(), String> {
        self.0.check_upstream(rule).await.map_err(|failure| failure.to_string())
    }
}

/// `POST /_longshore/registry/verify[?repair]`, `/collect[?now]` and `/refresh?ACCOUNT/REPOSITORY:TAG`, for the root of the
/// region's own account.
pub(super) struct RegistryCareHandler {
    images: ImageRegistry,
    registry: Registry,
    owner: AccountId,
}

impl RegistryCareHandler {
    pub(super) fn new(images: ImageRegistry, registry: Registry, owner: AccountId) -> Self {
        Self { images, registry, owner }
    }

    /// Compares a tag of a pull-through cache with the other registry's.
    async fn refresh(&self, what: &str) -> (StatusCode, String) {
        let named = what.split_once('/').and_then(|(account, rest)| {
            let (repository, tag) = rest.rsplit_once(':')?;
            Some((account.parse::<AccountId>().ok()?, repository.to_owned(), tag))
        });
        let Some((account, repository, tag)) = named else {
            return (StatusCode::BAD_REQUEST, "name what to refresh: REPOSITORY:TAG".to_owned());
        };
        match self.registry.refresh(account, repository, tag).await {
            Ok(done) => {
                let done = serde_json::json!({"digest": done.digest, "changed": done.changed});
                (StatusCode::OK, done.to_string())
            }
            Err(failure) => (StatusCode::BAD_GATEWAY, failure.to_string()),
        }
    }

    async fn care(&self, request: &http::Request<Incoming>, caller: Option<&Caller>) -> (StatusCode, String) {
        let is_owner =
            caller.is_some_and(|caller| caller.kind == CallerKind::Root && caller.account == self.owner);
        if !is_owner {
            let text = "only the root of the region's own account takes care of its registry";
            return (StatusCode::FORBIDDEN, text.to_owned());
        }
        if request.method() != Method::POST {
            return (StatusCode::METHOD_NOT_ALLOWED, "use POST".to_owned());
        }
        let query = request.uri().query().unwrap_or_default();
        let done = match request.uri().path().strip_prefix(PATH) {
            Some("verify") => {
                let verified = self.images.verify(query == "repair").await;
                verified.map(|verified| serde_json::json!(verified))
            }
            Some("collect") => {
                let grace = if query == "now" { Duration::ZERO } else { GRACE };
                let collected = self.images.collect(grace).await;
                collected.map(|done| {
                    serde_json::json!({"uploads": done.uploads, "links": done.links, "blobs": done.blobs,
                        "bytes": done.bytes})
                })
            }
            Some("refresh") => return self.refresh(query).await,
            _ => return (StatusCode::NOT_FOUND, "there is verify, collect and refresh".to_owned()),
        };
        match done {
            Ok(done) => (StatusCode::OK, done.to_string()),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot take care of the registry");
                (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
            }
        }
    }
}

#[async_trait::async_trait]
impl HttpHandler for RegistryCareHandler {
    fn serves(&self, path: &str) -> bool {
        path.starts_with(PATH)
    }

    fn signing_name(&self) -> Option<&'static str> {
        Some(super::accounts::SIGNING_NAME)
    }

    async fn handle(&self, request: http::Request<Incoming>, caller: Option<Caller>) -> Response {
        let (status, text) = self.care(&request, caller.as_ref()).await;
        answer(status, text)
    }
}

fn answer(status: StatusCode, text: String) -> Response {
    let mut answer = http::Response::new(full(text));
    *answer.status_mut() = status;
    answer
}
