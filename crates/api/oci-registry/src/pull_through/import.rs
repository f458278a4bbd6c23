//! From a manifest of another registry to an image of this one.

use super::{Pending, UpstreamFailure, answer, blob, look, read};
use crate::error::RegistryError;
use crate::respond::Response;
use crate::{Inner, Place};
use blob_store::Digest;
use futures::{StreamExt, stream};
use http::Method;
use image_registry::{PushImage, is_index};
use registry_client::Fetched;
use resources::ecr::{AppliedFor, Event, EventKind, PullThroughCacheRule, Repository};
use std::sync::Arc;

/// Blobs of one image that are fetched at the same time.
const BLOBS: usize = 4;

/// Keeps a manifest, if need be once its blobs are here, and answers it at once in that case.
pub(super) async fn begin(
    registry: &Arc<Inner>,
    place: &Place,
    rule: &PullThroughCacheRule,
    reference: &str,
    fetched: Fetched,
    method: &Method,
) -> Result<Option<Response>, RegistryError> {
    let (import, missing) = prepare(registry, place, rule, reference, &fetched).await?;
    if missing.is_empty() {
        import.finish().await?;
        return Ok(None);
    }
    let digest = import.digest.clone();
    let pending = Pending { content: fetched.bytes, media_type: import.media_type.clone(), digest };
    let answered = answer(&pending, method);
    // Who only looks does not want the layers yet.
    if *method == Method::GET
        && let Ok(slot) = registry.pull_through.slots.clone().try_acquire_owned()
    {
        let keys = [place.row(reference), place.row(&pending.digest.to_string())];
        {
            let mut all = registry.pull_through.pending.lock();
            for key in &keys {
                all.insert(key.clone(), pending.clone());
            }
        }
        tokio::spawn(async move {
            // It is on record already.
            let _ = import.run(missing).await;
            let mut all = import.registry.pull_through.pending.lock();
            for key in &keys {
                all.remove(key);
            }
            drop(slot);
        });
    }
    Ok(Some(answered))
}

/// Keeps an image, and returns when it is here.
pub(super) async fn keep(
    registry: &Arc<Inner>,
    place: &Place,
    rule: &PullThroughCacheRule,
    reference: &str,
    fetched: Fetched,
) -> Result<(), UpstreamFailure> {
    let prepared = prepare(registry, place, rule, reference, &fetched).await;
    let (import, missing) = prepared.map_err(|error| UpstreamFailure(error.to_string()))?;
    import.run(missing).await.map_err(UpstreamFailure)
}

/// What is to be done for a manifest, and the blobs that are not here.
async fn prepare(
    registry: &Arc<Inner>,
    place: &Place,
    rule: &PullThroughCacheRule,
    reference: &str,
    fetched: &Fetched,
) -> Result<(Import, Vec<Digest>), RegistryError> {
    let (digest, document, content) = read(fetched, reference)?;
    let images = &registry.images;
    let repository =
        images.ensure_repository(&place.account, &place.name, AppliedFor::PullThroughCache).await?;
    let mut missing = Vec::new();
    for descriptor in &document.required_blobs {
        let blob: Digest = super::super::blobs::parse(&descriptor.digest)?;
        if !missing.contains(&blob)
            && registry.images.link(&place.account, &place.name, &blob).await?.is_none()
        {
            missing.push(blob);
        }
    }
    let import = Import {
        registry: registry.clone(),
        place: place.clone(),
        rule: rule.clone(),
        reference: reference.to_owned(),
        repository,
        digest,
        media_type: document.media_type.as_str().into(),
        content,
    };
    Ok((import, missing))
}

struct Import {
    registry: Arc<Inner>,
    place: Place,
    rule: PullThroughCacheRule,
    reference: String,
    repository: Repository,
    digest: Digest,
    media_type: Arc<str>,
    content: String,
}

impl Import {
    async fn run(&self, missing: Vec<Digest>) -> Result<(), String> {
        let mut blobs = stream::iter(missing.into_iter().map(|digest| async move {
            blob::fetch_whole(&self.registry, &self.place, &self.rule, &digest).await
        }))
        .buffer_unordered(BLOBS);
        let mut failure = None;
        while let Some(fetched) = blobs.next().await {
            failure = failure.or(fetched.err());
        }
        let failure = match failure {
            None => self.finish().await.err().map(|error| error.to_string()),
            Some(failure) => Some(failure),
        };
        let Some(failure) = failure else { return Ok(()) };
        tracing::warn!(failure, repository = self.place.name, "cannot keep an image of another registry");
        let told =
            event(&self.registry, &self.place, &self.rule, &self.reference, Some(failure.clone())).await;
        if let Err(error) = told {
            tracing::warn!(%error, "cannot record an event");
        }
        Err(failure)
    }

    async fn finish(&self) -> Result<(), RegistryError> {
        let push = PushImage {
            manifest: self.content.clone(),
            media_type: Some(&self.media_type),
            digest: Some(self.digest.clone()),
            tag: Some(self.reference.as_str()).filter(|reference| !reference.contains(':')),
            // An index is kept with the manifests that were asked for.
            complete: !is_index(&self.media_type),
            replicate: true,
        };
        self.registry.images.push(&self.repository, push).await?;
        look(&self.registry, &self.place, &self.reference, std::time::Duration::ZERO).await?;
        event(&self.registry, &self.place, &self.rule, &self.reference, None).await
    }
}

/// Records what became of a reference of another registry.
pub(super) async fn event(
    registry: &Inner,
    place: &Place,
    rule: &PullThroughCacheRule,
    reference: &str,
    failure: Option<String>,
) -> Result<(), RegistryError> {
    let by_digest = reference.contains(':');
    let digest = if by_digest { reference.to_owned() } else { String::new() };
    let tag = (!by_digest).then(|| reference.to_owned());
    let environment = registry.tables.environment();
    let event = Event {
        account: place.account.clone(),
        id: environment.uuid(),
        time: environment.now(),
        repository: place.name.clone(),
        digest,
        tag,
        kind: EventKind::PullThroughCache { upstream: rule.upstream_url.clone(), failure },
    };
    registry.tables.batch().put_any(&event).commit().await?;
    Ok(())
}
