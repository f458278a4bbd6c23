//! Keys of identity providers: from a file of the region, else from the provider, fetched within bounds and remembered.

use super::trust::ProviderTrust;
use bytes::Bytes;
use environment::{Environment, Timestamp};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use quick_cache::sync::Cache;
use resources::iam::OidcProvider;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Largest document of a provider.
const MOST_BYTES: usize = 512 * 1024;
/// Longest wait for a document.
const WAIT: Duration = Duration::from_secs(10);
/// How long keys are believed.
const FRESH: Duration = Duration::from_secs(3600);
/// How long a key that is not among them is believed to be none: a provider that rotates is asked again after it.
const RETRY: Duration = Duration::from_secs(60);
/// What stays as it is in names of files.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');
/// Providers remembered.
const PROVIDERS: usize = 1000;

/// Keys of identity providers; cheap to clone.
#[derive(Clone)]
pub struct ProviderKeys(Arc<Inner>);

struct Inner {
    environment: Environment,
    directory: Option<PathBuf>,
    known: Cache<String, Arc<Known>>,
}

struct Known {
    keys: JwkSet,
    at: Timestamp,
}

/// Why there is no key.
#[derive(Debug)]
pub(crate) enum NoKey {
    /// The provider has no such key.
    Unknown,
    /// The provider does not answer with keys.
    Unreachable(String),
    /// Who answers shows a certificate that neither this machine nor the account trusts.
    Untrusted,
    /// The region's own file is damaged.
    Unreadable(String),
}

#[derive(Deserialize)]
struct Discovery {
    jwks_uri: String,
}

impl ProviderKeys {
    /// Keys of a provider in `directory`, as a JWK set in the file that [`ProviderKeys::file_name`] names, count before
    /// all others: for providers that this machine cannot reach.
    pub fn new(directory: Option<PathBuf>, environment: Environment) -> Self {
        Self(Arc::new(Inner { environment, directory, known: Cache::new(PROVIDERS) }))
    }

    /// The file with the keys of a provider: its URL without `https://`, percent-encoded, and `.json`.
    pub fn file_name(url: &str) -> String {
        format!("{}.json", utf8_percent_encode(url, PLAIN))
    }

    /// The key with an id, or the only key when a token names none.
    pub(crate) async fn find(&self, provider: &OidcProvider, id: Option<&str>) -> Result<Jwk, NoKey> {
        if let Some(keys) = self.local(&provider.url).await? {
            return pick(&keys, id).ok_or(NoKey::Unknown);
        }
        let now = self.0.environment.now();
        // Accounts may trust different authorities for the same provider.
        let name = format!("{} {}", provider.url, provider.thumbprints.join(" "));
        if let Some(known) = self.0.known.get(&name) {
            let age = now.since(known.at);
            match pick(&known.keys, id) {
                Some(key) if age < FRESH => return Ok(key),
                None if age < RETRY => return Err(NoKey::Unknown),
                _ => {}
            }
        }
        let keys = fetch(provider).await?;
        let found = pick(&keys, id);
        self.0.known.insert(name, Arc::new(Known { keys, at: now }));
        found.ok_or(NoKey::Unknown)
    }

    async fn local(&self, url: &str) -> Result<Option<JwkSet>, NoKey> {
        let Some(directory) = &self.0.directory else { return Ok(None) };
        let path = directory.join(Self::file_name(url));
        let text = match tokio::fs::read(&path).await {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(&path, &error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| unreadable(&path, &error))
    }
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> NoKey {
    NoKey::Unreadable(format!("read the keys in {}: {error}", path.display()))
}

fn pick(keys: &JwkSet, id: Option<&str>) -> Option<Jwk> {
    match (id, keys.keys.as_slice()) {
        (Some(id), _) => keys.find(id).cloned(),
        (None, [only]) => Some(only.clone()),
        (None, _) => None,
    }
}

/// Asks a provider for its keys. Only https is spoken and no redirect is followed.
async fn fetch(provider: &OidcProvider) -> Result<JwkSet, NoKey> {
    let trust = ProviderTrust::new(&provider.thumbprints);
    ask(&provider.url, &trust)
        .await
        .map_err(|reason| if trust.has_mismatched() { NoKey::Untrusted } else { NoKey::Unreachable(reason) })
}

async fn ask(url: &str, trust: &Arc<ProviderTrust>) -> Result<JwkSet, String> {
    let tls = trust.client().map_err(|error| format!("no TLS on this machine: {error}"))?;
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1().build();
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let discovery = format!("https://{}/.well-known/openid-configuration", url.trim_end_matches('/'));
    let discovery: Discovery = get(&client, &discovery).await?;
    get(&client, &discovery.jwks_uri).await
}

async fn get<T: serde::de::DeserializeOwned>(
    client: &Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    url: &str,
) -> Result<T, String> {
    let uri: http::Uri = url.parse().map_err(|_| format!("{url} is no URL"))?;
    let work = async {
        let response = client.get(uri).await.map_err(|error| format!("get {url}: {error}"))?;
        if !response.status().is_success() {
            return Err(format!("get {url}: {}", response.status()));
        }
        let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
        Ok(body.map_err(|error| format!("read {url}: {error}"))?.to_bytes())
    };
    let body =
        tokio::time::timeout(WAIT, work).await.map_err(|_| format!("get {url}: no answer in time"))??;
    serde_json::from_slice(&body).map_err(|error| format!("read {url}: {error}"))
}
