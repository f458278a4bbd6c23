//! What the registry needs besides its requests: collecting, verifying, and its metrics.

use access::{Caller, CallerKind};
use api_ecr::UpstreamCheck;
use api_server::{HttpHandler, Response, full};
use environment::{Environment, Timestamp};
use http::{Method, StatusCode};
use hyper::body::Incoming;
use identifiers::{AccountId, Region};
use image_registry::{GRACE, ImageError, ImageRegistry, RepositoryUsage};
use oci_registry::Registry;
use resources::ecr::PullThroughCacheRule;
use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// Where the region's metrics are read.
pub(crate) const METRICS_PATH: &str = "/_longshore/metrics";
/// Where blobs are verified and collected on request.
pub(crate) const PATH: &str = "/_longshore/registry/";
/// Where blobs are handed over by reference, in the data directory: below a directory that is its owner's alone.
pub(super) const SOCKET: &str = "blobs/registry.sock";
/// Time between two collections of unused blobs.
const COLLECT: Duration = Duration::from_secs(3600);
/// Time between two counts of what there is.
const COUNT: Duration = Duration::from_secs(60);

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

/// Opens the socket where blobs are handed over by reference. Without it, hosts pull by HTTP.
pub(super) fn open_socket(path: &Path) -> Option<UnixListener> {
    // What an earlier region left that was killed; no other one runs over this directory.
    let _ = std::fs::remove_file(path);
    match UnixListener::bind(path) {
        Ok(listener) => Some(listener),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "images of this region are pulled by HTTP");
            None
        }
    }
}

/// Hands blobs over to the host of this machine until `shutdown`, and removes the socket.
pub(super) async fn hand_over(
    registry: Registry,
    listener: UnixListener,
    address: IpAddr,
    shutdown: CancellationToken,
) {
    let path = listener.local_addr().ok().and_then(|at| at.as_pathname().map(Path::to_owned));
    registry.hand_over(listener, address, shutdown.cancelled()).await;
    if let Some(path) = path {
        // One that stays is removed at the next start.
        let _ = std::fs::remove_file(path);
    }
}

/// Serves the metrics to everybody who reaches the endpoint: they name no repository and no caller.
pub(super) struct MetricsHandler {
    registry: Registry,
    images: ImageRegistry,
    /// What there was when it was counted last, and when that was.
    stock: Mutex<Option<(Timestamp, String)>>,
}

impl MetricsHandler {
    pub(super) fn new(registry: Registry, images: ImageRegistry) -> Self {
        Self { registry, images, stock: Mutex::new(None) }
    }

    /// Gauges of what there is, counted at most once a minute: all rows are read for them.
    async fn stock(&self) -> String {
        let now = self.images.tables().environment().now();
        let mut stock = self.stock.lock().await;
        if let Some((counted_at, text)) = &*stock
            && now.since(*counted_at) < COUNT
        {
            return text.clone();
        }
        let usage = match self.images.usage().await {
            Ok(usage) => usage,
            Err(error) => {
                tracing::warn!(%error, "cannot count what there is");
                return String::new();
            }
        };
        let uploads = self.images.blobs().open_uploads().await.unwrap_or_default();
        let sum = |of: fn(&RepositoryUsage) -> u64| usage.repositories.iter().map(of).sum();
        let text = gauges(&[
            ("repositories", "Repositories.", usage.repositories.len() as u64),
            ("images", "Manifests and indexes.", sum(|repository| repository.images)),
            ("tags", "Tags.", sum(|repository| repository.tags)),
            (
                "repository_bytes",
                "Bytes of all repositories, with what several of them have.",
                sum(|repository| repository.bytes),
            ),
            ("blobs", "Blobs that some repository has.", usage.blobs),
            ("blob_bytes", "Bytes of those blobs, each once.", usage.blob_bytes),
            ("open_uploads", "Uploads that are neither finished nor cancelled.", uploads as u64),
        ]);
        *stock = Some((now, text.clone()));
        text
    }

    /// What collecting has done since the region started.
    fn collections(&self) -> String {
        let done = self.images.collections();
        let mut text = String::new();
        for (name, help, count) in [
            ("runs", "Times that unused blobs were collected.", done.runs),
            ("failures", "Times that collecting failed.", done.failures),
            ("blobs", "Blobs that were collected.", done.blobs),
            ("bytes", "Bytes of those blobs.", done.bytes),
            ("links", "Blobs of repositories that none of their images needed.", done.links),
            ("uploads", "Uploads that nothing was appended to.", done.uploads),
        ] {
            let name = format!("longshore_registry_collected_{name}_total");
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {count}");
        }
        if let Some(ended) = done.last_ended_at {
            let name = "longshore_registry_last_collection_timestamp_seconds";
            let seconds = ended.as_millis() / 1000;
            let help = "When collecting last came to its end.";
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {seconds}");
        }
        text
    }
}

fn gauges(all: &[(&str, &str, u64)]) -> String {
    let mut text = String::new();
    for (name, help, value) in all {
        let name = format!("longshore_registry_{name}");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
    }
    text
}

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
        let text = self.registry.metrics() + &self.collections() + &self.stock().await;
        let mut response = answer(StatusCode::OK, text);
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

/// `POST /_longshore/registry/verify[?repair]`, `/collect[?now]` and `/refresh?ACCOUNT/REPOSITORY:TAG`, `GET .../usage` and
/// `.../events?account=ID&since=MILLISECONDS&after=NEXT`, for the root of the region's own account.
pub(super) struct RegistryCareHandler {
    images: ImageRegistry,
    registry: Registry,
    owner: AccountId,
    region: Region,
}

impl RegistryCareHandler {
    pub(super) fn new(images: ImageRegistry, registry: Registry, owner: AccountId, region: Region) -> Self {
        Self { images, registry, owner, region }
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
        let query = request.uri().query().unwrap_or_default();
        let what = request.uri().path().strip_prefix(PATH).unwrap_or_default();
        let method = if matches!(what, "usage" | "events") { Method::GET } else { Method::POST };
        if request.method() != method {
            return (StatusCode::METHOD_NOT_ALLOWED, format!("use {method}"));
        }
        let done = match what {
            "usage" => {
                let usage = self.images.usage().await.map_err(ImageError::from);
                usage.map(|usage| serde_json::json!(usage))
            }
            "events" => match self.events(query).await {
                Some(events) => events,
                None => return (StatusCode::BAD_REQUEST, "the query cannot be read".to_owned()),
            },
            "verify" => {
                let verified = self.images.verify(query == "repair").await;
                verified.map(|verified| serde_json::json!(verified))
            }
            "collect" => {
                let grace = if query == "now" { Duration::ZERO } else { GRACE };
                let collected = self.images.collect(grace).await;
                collected.map(|done| {
                    serde_json::json!({"uploads": done.uploads, "links": done.links, "blobs": done.blobs,
                        "bytes": done.bytes})
                })
            }
            "refresh" => return self.refresh(query).await,
            _ => {
                let text = "there is verify, collect, refresh, usage and events";
                return (StatusCode::NOT_FOUND, text.to_owned());
            }
        };
        match done {
            Ok(done) => (StatusCode::OK, done.to_string()),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot take care of the registry");
                (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
            }
        }
    }

    /// A page of events; `None` when the query is not one.
    async fn events(&self, query: &str) -> Option<Result<serde_json::Value, ImageError>> {
        let (mut account, mut since, mut after) = (self.owner.clone(), 0, None);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "account" => account = value.parse().ok()?,
                "since" => since = value.parse::<i64>().ok()?.max(0),
                "after" => after = Some(value),
                _ => return None,
            }
        }
        let page = api_ecr::events(self.images.tables(), (&account, &self.region), after, since).await;
        let shown = page.map(|page| serde_json::json!({"events": page.events, "next": page.next}));
        Some(shown.map_err(ImageError::from))
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
