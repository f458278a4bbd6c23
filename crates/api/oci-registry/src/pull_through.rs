//! Images of other registries, fetched when they are first asked for and kept.
//!
//! A manifest is answered as soon as the other registry has given it, and a blob while it arrives; both are kept meanwhile.
//! However many clients ask, each thing is fetched once. A tag is asked for again when its last look is older than the
//! setting; when the other registry does not answer, what is here is answered.

mod blob;
mod credentials;
mod import;

pub(crate) use blob::blob;

use crate::error::RegistryError;
use crate::respond::{DIGEST, Response, empty, full, set};
use crate::{Inner, Place, auth};
use access::Caller;
use blob::Flight;
use blob_store::Digest;
use bytes::Bytes;
use encryption::KeyRing;
use environment::Environment;
use http::request::Parts;
use http::{Method, header};
use image_registry::{Document, MOST_MANIFEST_BYTES};
use parking_lot::Mutex;
use registry_client::{Client, Fetched, RegistryError as UpstreamError};
use resources::ecr::{Image, ImageTag, PullThroughCacheRule, PullThroughCheck, RegistryHosts, Repository};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;
use store::Versioned;
use tokio::sync::Semaphore;

/// Longest silence of another registry.
const STALL: Duration = Duration::from_secs(30);
/// Blobs fetched at the same time, and images.
const AT_ONCE: usize = 8;
/// Time until another registry that failed is asked again for a tag that is here.
const RETRY: Duration = Duration::from_secs(60);
/// What a caller must be allowed to do that an image is fetched for.
const IMPORTS: [&str; 2] = ["ecr:BatchGetImage", "ecr:BatchImportUpstreamImage"];

/// How other registries are used.
#[derive(Clone)]
pub struct Upstreams {
    /// Opens the secrets with the credentials of rules; without it rules that have some fail.
    pub keys: Option<KeyRing>,
    /// Hosts that are reached by plain HTTP; names of this machine always are.
    pub insecure_hosts: Vec<String>,
    /// Time after which a tag is looked at again.
    pub recheck_after: Duration,
    /// Where registries of this region are, which may be upstreams, too.
    pub own: Option<OwnRegistry>,
}

/// The registries of this region, as upstreams.
#[derive(Clone)]
pub struct OwnRegistry {
    /// Their names.
    pub hosts: RegistryHosts,
    /// Where they listen.
    pub address: SocketAddr,
}

/// What became of a tag that was looked at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// Digest of the image that the tag is on now.
    pub digest: String,
    /// Whether it was on another before.
    pub changed: bool,
}

/// Why the other registry of a rule cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UpstreamFailure(String);

impl Default for Upstreams {
    fn default() -> Self {
        Self { keys: None, insecure_hosts: vec![], recheck_after: Duration::from_secs(24 * 3600), own: None }
    }
}

/// What is being fetched.
pub(crate) struct PullThrough {
    client: Client,
    /// One at a time asks for a reference.
    asking: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
    /// Manifests whose blobs are still on their way, by reference and by digest.
    pending: Mutex<HashMap<String, Pending>>,
    flights: Mutex<HashMap<String, Arc<Flight>>>,
    slots: Arc<Semaphore>,
}

#[derive(Clone)]
struct Pending {
    content: Bytes,
    media_type: Arc<str>,
    digest: Digest,
}

impl PullThrough {
    pub(crate) fn new(environment: Environment) -> Self {
        Self {
            client: Client::new(environment, STALL),
            asking: Mutex::default(),
            pending: Mutex::default(),
            flights: Mutex::default(),
            slots: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    async fn alone(&self, key: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let mutex = {
            let mut asking = self.asking.lock();
            asking.retain(|_, mutex| mutex.strong_count() > 0);
            asking.get(key).and_then(Weak::upgrade).unwrap_or_else(|| {
                let mutex = Arc::new(tokio::sync::Mutex::new(()));
                asking.insert(key.to_owned(), Arc::downgrade(&mutex));
                mutex
            })
        };
        mutex.lock_owned().await
    }
}

/// The rule that a repository is filled by: the one with the longest prefix.
pub(crate) async fn rule(
    registry: &Inner,
    place: &Place,
) -> Result<Option<Versioned<PullThroughCacheRule>>, RegistryError> {
    let rules = registry.tables.list_all::<PullThroughCacheRule>(&format!("{}/", place.account)).await?;
    let length = |rule: &Versioned<PullThroughCacheRule>| {
        if rule.prefix == resources::ecr::ROOT_PREFIX { 0 } else { rule.prefix.len() }
    };
    Ok(rules.into_iter().filter(|rule| rule.upstream_name(&place.name).is_some()).max_by_key(length))
}

/// Whether an image may be fetched for this caller; who may not gets what is here.
async fn may_import(
    registry: &Inner,
    caller: &Caller,
    place: &Place,
    parts: &Parts,
) -> Result<bool, RegistryError> {
    let found = registry.tables.get::<Repository>(&format!("{}/{}", place.account, place.name)).await?;
    let mut actions = IMPORTS.to_vec();
    if found.is_none() {
        actions.push("ecr:CreateRepository");
    }
    match auth::check(registry, caller, place, &actions, (parts, found.as_deref())).await {
        Ok(()) => Ok(true),
        Err(RegistryError::Denied(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Fetches the manifest of a reference if it is not here or to be looked at again. An answer that is returned is given at
/// once; otherwise what is here by now is.
pub(crate) async fn manifest(
    registry: &Arc<Inner>,
    caller: &Caller,
    place: &Place,
    rule: &PullThroughCacheRule,
    reference: &str,
    parts: &Parts,
) -> Result<Option<Response>, RegistryError> {
    if is_fresh(registry, place, reference).await? {
        registry.metrics.cached(true);
        return Ok(None);
    }
    if !may_import(registry, caller, place, parts).await? {
        return Ok(None);
    }
    let key = place.row(reference);
    let _alone = registry.pull_through.alone(&key).await;
    if is_fresh(registry, place, reference).await? {
        registry.metrics.cached(true);
        return Ok(None);
    }
    if let Some(pending) = registry.pull_through.pending.lock().get(&key).cloned() {
        return Ok(Some(answer(&pending, &parts.method)));
    }
    registry.metrics.cached(false);
    let cached = cached(registry, place, reference).await?;
    match fetch(registry, place, rule, reference, cached.as_deref()).await {
        Ok(None) => {
            look(registry, place, reference, Duration::ZERO).await?;
            Ok(None)
        }
        Ok(Some(fetched)) => import::begin(registry, place, rule, reference, fetched, &parts.method).await,
        Err(error) => {
            tracing::warn!(%error, upstream = rule.upstream_url, repository = place.name, "cannot pull through");
            import::event(registry, place, rule, reference, Some(error.to_string())).await?;
            if cached.is_none() {
                return Err(refused(error, reference));
            }
            // Not again at once, but soon.
            let early = registry.config.upstreams.recheck_after.saturating_sub(RETRY);
            look(registry, place, reference, early).await?;
            Ok(None)
        }
    }
}

/// Whether the other registry of a rule answers, and takes the credentials there are.
pub(crate) async fn check(registry: &Inner, rule: &PullThroughCacheRule) -> Result<(), UpstreamFailure> {
    let name = match rule.prefix.trim_end_matches('/') {
        resources::ecr::ROOT_PREFIX => "any".to_owned(),
        prefix => format!("{prefix}/any"),
    };
    let place = Place::private(rule.account.clone(), name);
    let failed = |error: UpstreamError| UpstreamFailure(error.to_string());
    let upstream = credentials::upstream(registry, &place, rule).await.map_err(failed)?;
    registry.pull_through.client.reach(&upstream).await.map_err(failed)
}

/// Compares a tag with the other registry's now, and keeps the image that it is on there with all its blobs.
pub(crate) async fn refresh(
    registry: &Arc<Inner>,
    place: &Place,
    tag: &str,
) -> Result<Refreshed, UpstreamFailure> {
    let failed = |error: RegistryError| UpstreamFailure(error.to_string());
    let rule = rule(registry, place).await.map_err(failed)?;
    let rule =
        rule.ok_or_else(|| UpstreamFailure(format!("no pull-through cache rule is about {}", place.name)))?;
    let key = place.row(tag);
    let _alone = registry.pull_through.alone(&key).await;
    let before = cached(registry, place, tag).await.map_err(failed)?;
    let fetched = fetch(registry, place, &rule, tag, before.as_deref()).await;
    match fetched.map_err(|error| UpstreamFailure(error.to_string()))? {
        None => look(registry, place, tag, Duration::ZERO).await.map_err(failed)?,
        Some(fetched) => import::keep(registry, place, &rule, tag, fetched).await?,
    }
    let after = cached(registry, place, tag).await.map_err(failed)?;
    let after = after.ok_or_else(|| UpstreamFailure(format!("{tag} was deleted meanwhile")))?;
    let changed = before.is_none_or(|before| before.digest != after.digest);
    Ok(Refreshed { digest: after.digest.clone(), changed })
}

/// The manifest that the other registry has for a reference; `None` when it is the one that is here.
async fn fetch(
    registry: &Inner,
    place: &Place,
    rule: &PullThroughCacheRule,
    reference: &str,
    cached: Option<&Image>,
) -> Result<Option<Fetched>, UpstreamError> {
    let client = &registry.pull_through.client;
    let upstream = credentials::upstream(registry, place, rule).await?;
    if let Some(cached) = cached {
        let digest = client.manifest_digest(&upstream, reference, reference).await?;
        if digest.is_some_and(|digest| digest.as_str() == cached.digest) {
            return Ok(None);
        }
    }
    client.manifest(&upstream, reference, reference, MOST_MANIFEST_BYTES).await.map(Some)
}

async fn cached(
    registry: &Inner,
    place: &Place,
    reference: &str,
) -> Result<Option<Arc<Image>>, RegistryError> {
    let digest = if reference.contains(':') {
        reference.to_owned()
    } else {
        match registry.tables.get::<ImageTag>(&place.row(reference)).await? {
            Some(tag) => tag.digest.clone(),
            None => return Ok(None),
        }
    };
    Ok(registry.tables.get::<Image>(&place.row(&digest)).await?.map(|image| image.value))
}

/// Whether what is here can be answered without asking.
async fn is_fresh(registry: &Inner, place: &Place, reference: &str) -> Result<bool, RegistryError> {
    if cached(registry, place, reference).await?.is_none() {
        return Ok(false);
    }
    if reference.contains(':') {
        return Ok(true);
    }
    let looked = registry.tables.get::<PullThroughCheck>(&place.row(reference)).await?;
    let now = registry.tables.environment().now();
    Ok(looked.is_some_and(|looked| now.since(looked.checked_at) < registry.config.upstreams.recheck_after))
}

/// Writes down that a tag was looked at, `ago`.
async fn look(registry: &Inner, place: &Place, reference: &str, ago: Duration) -> Result<(), RegistryError> {
    if !reference.contains(':') {
        let row = PullThroughCheck {
            account: place.account.clone(),
            repository: place.name.clone(),
            tag: reference.to_owned(),
            checked_at: registry.tables.environment().now() - ago,
        };
        registry.tables.batch().put_any(&row).commit().await?;
    }
    Ok(())
}

fn refused(error: UpstreamError, reference: &str) -> RegistryError {
    match error {
        UpstreamError::NotFound { .. } => {
            RegistryError::ManifestUnknown(reference.chars().take(200).collect())
        }
        error => RegistryError::Upstream(error.to_string()),
    }
}

fn answer(pending: &Pending, method: &Method) -> Response {
    let mut response = if *method == Method::HEAD {
        let mut response = empty(http::StatusCode::OK);
        set(&mut response, header::CONTENT_LENGTH, &pending.content.len().to_string());
        response
    } else {
        http::Response::new(full(pending.content.clone()))
    };
    set(&mut response, header::CONTENT_TYPE, &pending.media_type);
    set(&mut response, DIGEST, &pending.digest.to_string());
    set(&mut response, header::ETAG, &format!("\"{}\"", pending.digest));
    response
}

/// What a fetched manifest says, if it is what was asked for.
fn read(fetched: &Fetched, reference: &str) -> Result<(Digest, Document, String), RegistryError> {
    let text = String::from_utf8(fetched.bytes.to_vec())
        .map_err(|_| RegistryError::Upstream("the manifest is not UTF-8".to_owned()))?;
    let wanted = if reference.contains(':') { Some(reference) } else { fetched.claimed.as_deref() };
    let wanted: Option<Digest> = wanted.and_then(|text| text.parse().ok());
    let digest = wanted
        .as_ref()
        .map_or_else(|| Digest::of(&fetched.bytes), |wanted| Digest::by(wanted.algorithm(), &fetched.bytes));
    if wanted.is_some_and(|wanted| wanted != digest) {
        return Err(RegistryError::Upstream("the manifest has another digest than was asked for".to_owned()));
    }
    let document = Document::read(&text, fetched.content_type.as_deref())
        .map_err(|error| RegistryError::Upstream(error.to_string()))?;
    Ok((digest, document, text))
}
