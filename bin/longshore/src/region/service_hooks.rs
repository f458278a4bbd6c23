//! The endpoints that stand for functions which deployments wait for.

use crate::settings::HookAddress;
use anyhow::{Context, Result};
use bytes::Bytes;
use controllers::HookCaller;
use environment::Environment;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use resources::ecs::HookEndpoint;
use std::collections::BTreeMap;
use std::time::Duration;
use store::Tables;

/// Longest wait for an answer: as long as a function of AWS may run.
const ANSWER: Duration = Duration::from_secs(900);
/// Largest answer.
const MOST_BYTES: usize = 256 << 10;

type Https = HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Calls endpoints over HTTP.
pub(super) struct Endpoints {
    client: Https,
    environment: Environment,
}

impl Endpoints {
    pub(super) fn new(environment: Environment) -> Result<Self> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .context("load this machine's certificates")?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self { client: HttpClient::builder(TokioExecutor::new()).build(connector), environment })
    }

    async fn post(&self, url: &str, payload: String) -> Result<String, String> {
        let request = http::Request::post(url)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(payload)))
            .map_err(|error| error.to_string())?;
        let answer =
            self.client.request(request).await.map_err(|error| format!("{url} is not reached: {error}"))?;
        let status = answer.status();
        if !status.is_success() {
            return Err(format!("{url} answered {status}"));
        }
        let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
        let body = body.map_err(|error| format!("the answer of {url} cannot be read: {error}"))?.to_bytes();
        String::from_utf8(body.to_vec()).map_err(|_| format!("the answer of {url} is no text"))
    }
}

#[async_trait::async_trait]
impl HookCaller for Endpoints {
    async fn call(&self, url: &str, payload: String) -> Result<String, String> {
        tokio::select! {
            answer = self.post(url, payload) => answer,
            () = self.environment.sleep(ANSWER) => Err(format!("{url} did not answer within 15 minutes")),
        }
    }
}

/// Writes down which endpoints stand for which functions, so that the API knows, too.
pub(super) async fn name_endpoints(tables: &Tables, hooks: &[HookAddress]) -> Result<()> {
    let wanted: BTreeMap<&str, &str> =
        hooks.iter().map(|hook| (hook.function.as_str(), hook.url.as_str())).collect();
    let mut batch = tables.batch();
    let mut missing = wanted.clone();
    let mut changes = false;
    for row in tables.list_all::<HookEndpoint>("").await.context("read the endpoints of hooks")? {
        match missing.remove(row.function.as_str()) {
            Some(url) if url == row.url => {}
            Some(url) => {
                changes = true;
                let new = HookEndpoint { url: url.to_owned(), ..HookEndpoint::clone(&row) };
                batch = batch.replace(&row, &new);
            }
            None => {
                changes = true;
                batch = batch.delete(&row);
            }
        }
    }
    for (function, url) in missing {
        changes = true;
        batch = batch.create(&HookEndpoint { function: function.to_owned(), url: url.to_owned() });
    }
    if changes {
        batch.commit().await.context("write the endpoints of hooks")?;
    }
    Ok(())
}
