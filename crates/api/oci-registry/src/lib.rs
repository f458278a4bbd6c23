//! The OCI distribution protocol: what docker, skopeo and podman push to and pull from.
//!
//! Names and tags are rows of the store, blobs lie in the blob store; a blob is visible only in repositories it was
//! pushed to or mounted into. Content is hashed while it streams, so memory stays flat. As on ECR a repository exists
//! before it is pushed to, unless the region is told otherwise.

mod auth;
mod blobs;
mod catalog;
mod downloads;
mod error;
mod local;
mod manifests;
mod metrics;
mod public;
mod pull_through;
mod range;
mod recorded;
mod referrers;
mod replication;
mod respond;
mod route;
mod tags;
mod uploads;

pub use pull_through::{OwnRegistry, Refreshed, UpstreamFailure, Upstreams};
pub use range::parse as parse_range;
pub use replication::REPLICATE_TO;
pub use respond::{Body, Response};

use access::{Access, Caller};
use audit_log::AuditLog;
use blob_store::BlobStore;
use bytes::Bytes;
use error::RegistryError;
use identifiers::{AccountId, Region};
use image_registry::ImageRegistry;
use metrics::Metrics;
use pull_through::PullThrough;
use recorded::RecordedCall;
use resources::ecr::{AppliedFor, PullThroughCacheRule, Repository, rows_of};
use route::{Resource, Route};
use std::sync::Arc;
use std::time::Duration;
use store::Tables;

/// What a registry is told.
#[derive(Clone)]
pub struct RegistryConfig {
    /// The account meant where the host name does not begin with one.
    pub account: AccountId,
    /// The region, as ARNs of repositories name it.
    pub region: Region,
    /// Make a repository at the first push to it, which ECR does not.
    pub create_on_push: bool,
    /// Where requests are recorded, as the calls of ECR that they stand for; `None` where nobody wants to know.
    pub audit: Option<AuditLog>,
    /// Send those who want a blob that lies in a bucket to the bucket, with an address that is good for this long.
    /// Without it blobs are passed on.
    pub redirect_for: Option<Duration>,
    /// How the other registries of pull-through cache rules are used.
    pub upstreams: Upstreams,
}

/// The registry; cheap to clone.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) tables: Tables,
    pub(crate) blobs: BlobStore,
    pub(crate) images: ImageRegistry,
    pub(crate) access: Access,
    pub(crate) config: RegistryConfig,
    pub(crate) metrics: Metrics,
    pub(crate) pull_through: PullThrough,
}

/// A request's repository.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) account: AccountId,
    /// The name that its rows have.
    pub(crate) name: String,
    /// The name that its client uses.
    pub(crate) path: String,
}

impl Place {
    /// A repository of the private registry.
    pub(crate) fn private(account: AccountId, name: String) -> Self {
        Self { account, path: name.clone(), name }
    }

    /// The key of one of its rows; with an empty text, what the keys of all its rows begin with.
    pub(crate) fn row(&self, last: &str) -> String {
        rows_of(&self.account, &self.name) + last
    }
}

impl Inner {
    /// Whether a request makes a repository that is not there.
    fn creates(&self, parts: &http::request::Parts) -> bool {
        (self.config.create_on_push || replication::is_copy(parts)) && !route::reads(&parts.method)
    }
}

impl Registry {
    /// A registry over a region's images.
    pub fn new(images: ImageRegistry, access: Access, config: RegistryConfig) -> Self {
        let (tables, blobs) = (images.tables().clone(), images.blobs().clone());
        let pull_through = PullThrough::new(tables.environment().clone());
        let metrics = Metrics::default();
        Self(Arc::new(Inner { tables, blobs, images, access, config, metrics, pull_through }))
    }

    /// Counters in the text format of Prometheus.
    pub fn metrics(&self) -> String {
        self.0.metrics.to_text()
    }

    /// Whether the other registry of a pull-through cache rule answers, and takes the rule's credentials.
    pub async fn check_upstream(&self, rule: &PullThroughCacheRule) -> Result<(), UpstreamFailure> {
        pull_through::check(&self.0, rule).await
    }

    /// Compares a tag that comes from another registry with the one there, and keeps the image that it is on now.
    pub async fn refresh(
        &self,
        account: AccountId,
        repository: String,
        tag: &str,
    ) -> Result<Refreshed, UpstreamFailure> {
        pull_through::refresh(&self.0, &Place::private(account, repository), tag).await
    }

    /// Answers a request for a path that begins with `/v2`.
    pub async fn handle<B>(&self, request: http::Request<B>) -> Response
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::fmt::Display + Send,
    {
        let (parts, body) = request.into_parts();
        let environment = self.0.tables.environment();
        let (began, request_id) = (environment.now(), environment.uuid());
        if let Some(audit) = &self.0.config.audit {
            audit.room().await;
        }
        let mut call = RecordedCall::new(&self.0, &parts, &request_id);
        let answered = self.answer(&parts, body, call.as_mut()).await;
        if let Some(call) = &mut call {
            call.ended(answered.as_ref());
        }
        drop(call);
        let mut response = answered.unwrap_or_else(|error| {
            if let RegistryError::Internal(source) = &error {
                tracing::error!(error = %source, path = parts.uri.path(), "the registry failed");
            }
            self.0.metrics.failed(error.code().1);
            error.to_response()
        });
        let after = environment.now().since(began);
        self.0.metrics.answered(&parts.method, parts.uri.path(), response.status(), after);
        let version = http::HeaderValue::from_static("registry/2.0");
        response.headers_mut().insert("docker-distribution-api-version", version);
        respond::set(&mut response, respond::REQUEST_ID, &request_id);
        response
    }

    async fn answer<B>(
        &self,
        parts: &http::request::Parts,
        body: B,
        call: Option<&mut RecordedCall<'_>>,
    ) -> Result<Response, RegistryError>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::fmt::Display + Send,
    {
        if let Some(token) = downloads::token(parts.uri.path()) {
            return downloads::serve(&self.0, token, parts).await;
        }
        if parts.uri.path() == public::TOKEN_PATH {
            return public::token(&self.0.access, parts).await;
        }
        let account = match replication::target(parts)? {
            Some(account) => account,
            None => auth::account_of(parts, &self.0.config.account),
        };
        let door = public::door(parts);
        if door.is_some() && replication::is_copy(parts) {
            return Err(RegistryError::Unsupported);
        }
        let caller = match door {
            Some(door) => public::caller(&self.0.access, door, parts).await?,
            None => auth::caller(&self.0.access, parts).await?,
        };
        let Route { name, resource } = route::route(parts.uri.path())?;
        let query = route::query(parts);
        let Some(name) = name else {
            return match resource {
                // As on AWS nobody lists what is public.
                Resource::Catalog if door.is_some() => Err(RegistryError::Unsupported),
                Resource::Catalog => catalog::list(&self.0, &caller, &account, &query, parts).await,
                _ if route::reads(&parts.method) => Ok(respond::empty(http::StatusCode::OK)),
                _ => Err(RegistryError::Unsupported),
            };
        };
        let place = match door {
            Some(door) => public::place(door, name)?,
            None => Place::private(account, name),
        };
        if let Some(call) = call {
            call.asks(&caller, &place, &resource, &query);
        }
        if let Some(response) = self.pulled_through(&caller, &place, &resource, parts).await? {
            return Ok(response);
        }
        let repository = self.require(&caller, &place, (&resource, &query), parts).await?;
        match resource {
            Resource::Base | Resource::Catalog => Err(RegistryError::NoResource),
            Resource::Tags => tags::list(&self.0, &place, &query, &parts.method).await,
            Resource::Referrers(digest) => {
                referrers::list(&self.0, &place, &digest, &query, &parts.method).await
            }
            Resource::Manifest(reference) => {
                manifests::handle(&self.0, &caller, (&place, &repository), &reference, parts, body).await
            }
            Resource::Blob(digest) => blobs::handle(&self.0, &place, &digest, parts).await,
            Resource::Uploads => {
                if let Some(mounted) = self.mount(&caller, &place, &query, parts).await? {
                    return Ok(mounted);
                }
                uploads::start(&self.0, &place, &query, parts, body).await
            }
            Resource::Upload(id) => uploads::handle(&self.0, &place, &id, &query, parts, body).await,
        }
    }

    /// What is to be read and comes from another registry. An answer that is returned is passed on while it arrives.
    async fn pulled_through(
        &self,
        caller: &Caller,
        place: &Place,
        resource: &Resource,
        parts: &http::request::Parts,
    ) -> Result<Option<Response>, RegistryError> {
        let public = public::is_public(place);
        if public
            || replication::is_copy(parts)
            || !(route::reads(&parts.method) && matches!(resource, Resource::Manifest(_) | Resource::Blob(_)))
        {
            return Ok(None);
        }
        let Some(rule) = pull_through::rule(&self.0, place).await? else { return Ok(None) };
        match resource {
            Resource::Manifest(reference) => {
                pull_through::manifest(&self.0, caller, place, &rule, reference, parts).await
            }
            Resource::Blob(digest) => pull_through::blob(&self.0, caller, place, &rule, digest, parts).await,
            _ => Ok(None),
        }
    }

    /// A blob that is asked for from another repository of the account. Who may not read it there is told what somebody
    /// is told for whom it is not there: to upload it.
    async fn mount(
        &self,
        caller: &Caller,
        place: &Place,
        query: &route::Query,
        parts: &http::request::Parts,
    ) -> Result<Option<Response>, RegistryError> {
        let (Some(digest), Some(from)) = (query.get("mount"), query.get("from")) else { return Ok(None) };
        // Where mounting is turned off, the blob is uploaded, as the protocol foresees.
        if parts.method != http::Method::POST || !self.0.images.mounts_blobs(&place.account).await? {
            return Ok(None);
        }
        let digest = blobs::parse(digest)?;
        if !route::is_repository_name(from) {
            return Ok(None);
        }
        let source = match public::door_of(parts, from) {
            Some(door) => public::place(door, from.clone()).ok(),
            None => Some(Place::private(place.account.clone(), from.clone())),
        };
        let Some(source) = source.filter(|source| source.account == place.account) else { return Ok(None) };
        if !auth::may_read(&self.0, caller, &source, parts).await? {
            return Ok(None);
        }
        let mounted = self.0.images.mount(&place.account, (&source.name, &place.name), &digest).await?;
        Ok(mounted.map(|_| uploads::created(place, &digest)))
    }

    /// The repository of a request that its caller may make, made now if it may be. Nobody learns without permission
    /// whether a repository is there.
    async fn require(
        &self,
        caller: &Caller,
        place: &Place,
        (resource, query): (&Resource, &route::Query),
        parts: &http::request::Parts,
    ) -> Result<Arc<Repository>, RegistryError> {
        let key = format!("{}/{}", place.account, place.name);
        let found = self.0.tables.get::<Repository>(&key).await?;
        let known = found.as_ref().map(|found| &*found.value);
        auth::authorize(&self.0, caller, place, (resource, query), (parts, known)).await?;
        if let Some(found) = found {
            return Ok(found.value);
        }
        if public::is_public(place) || !(self.0.creates(parts) && route::is_repository_name(&place.name)) {
            return Err(RegistryError::NameUnknown(place.path.clone()));
        }
        let images = &self.0.images;
        let purpose =
            if replication::is_copy(parts) { AppliedFor::Replication } else { AppliedFor::CreateOnPush };
        let made = images.ensure_repository(&place.account, &place.name, purpose).await?;
        Ok(Arc::new(made))
    }
}

/// What requests say, read without a registry: for fuzz targets.
pub mod requests {
    pub use crate::range::parse as range;

    /// The repository that a path names, if it names something and that is of one.
    pub fn repository(path: &str) -> Option<String> {
        crate::route::route(path).ok()?.name
    }
}

#[cfg(test)]
mod tests;
