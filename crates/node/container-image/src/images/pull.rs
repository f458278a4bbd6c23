//! One pull: resolve, choose, verify, make the layers ready, remember.

use super::layer::{self, Ready, backoff};
use super::layout::{ImageRecord, LayerRecord};
use super::pinned::Pinned;
use super::{Image, Inner};
use crate::config::ConfigFile;
use crate::error::{LayerError, PullError};
use crate::manifest::{Descriptor, Document, Manifest, is_foreign, is_layer, select};
use crate::options::{PullEvent, PullOptions, PullPolicy};
use crate::platform::Platform;
use crate::unpack::Budget;
use environment::Timestamp;
use futures::future::try_join_all;
use registry_client::Digest;
use registry_client::Reference;
use registry_client::RegistryError;
use registry_client::Repository;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How stale the noted time of last use may get; it is written no more often than that.
const USE_PRECISION: Duration = Duration::from_secs(60);

/// What is being pulled.
struct Pull<'a> {
    inner: &'a Arc<Inner>,
    reference: Reference,
    text: String,
    repository: Repository,
    options: &'a PullOptions,
    platform: Platform,
}

/// The manifest that a reference means here.
struct Found {
    /// The digest of what the reference names.
    resolved: Digest,
    /// The digest of the image manifest, equal to the above unless that is an index.
    digest: Digest,
    manifest: Manifest,
}

pub(super) async fn pull(
    inner: &Arc<Inner>,
    reference: &str,
    options: &PullOptions,
) -> Result<Image, PullError> {
    let parsed: Reference =
        reference.parse().map_err(|cause| PullError::Reference { reference: reference.to_owned(), cause })?;
    let pull = Pull {
        inner,
        text: parsed.to_string(),
        repository: Repository::new(&parsed, &options.reach()),
        reference: parsed,
        options,
        platform: options.platform.clone().unwrap_or_else(Platform::host),
    };
    if options.policy == PullPolicy::IfMissing
        && let Some(image) = pull.remembered()?
    {
        return Ok(image);
    }
    if let Some(image) = pull.unchanged().await? {
        return Ok(image);
    }
    let found = pull.find().await?;
    pull.make(found).await
}

impl Pull<'_> {
    /// The image that this reference meant when last asked.
    fn remembered(&self) -> Result<Option<Image>, PullError> {
        let platform = self.platform.to_string();
        let known = {
            let state = self.inner.state.lock();
            state.images.values().find_map(|known| {
                let (_, _, resolved) = known
                    .record
                    .references
                    .iter()
                    .find(|(text, wanted, _)| *text == self.text && *wanted == platform)?;
                Some((known.record.manifest.clone(), resolved.clone()))
            })
        };
        known.map_or(Ok(None), |(manifest, resolved)| self.used(&manifest, resolved))
    }

    /// One small request when the image is here: does the reference still mean what we have?
    async fn unchanged(&self) -> Result<Option<Image>, PullError> {
        if self.inner.state.lock().images.is_empty() {
            return Ok(None);
        }
        let target = self.reference.target();
        let digest = self
            .retry(|| self.inner.client.manifest_digest(&self.repository, &target, &self.text))
            .await
            .map_err(|(cause, attempts)| self.unresolved(cause, attempts))?;
        let digest = match (digest, self.reference.digest()) {
            (Some(digest), None) => digest,
            // What is pinned is known without the registry's word for it.
            (Some(_), Some(pinned)) => pinned.clone(),
            (None, _) => return Ok(None),
        };
        let platform = self.platform.to_string();
        let manifest = {
            let state = self.inner.state.lock();
            let direct = state.images.get(&digest).filter(|known| fits(&known.record, &self.platform));
            let chosen = || {
                state.images.values().find(|known| {
                    known
                        .record
                        .parents
                        .iter()
                        .any(|(parent, wanted)| *parent == digest && *wanted == platform)
                })
            };
            direct.or_else(chosen).map(|known| known.record.manifest.clone())
        };
        match manifest {
            Some(manifest) => self.used(&manifest, digest),
            None => Ok(None),
        }
    }

    /// Notes that the image was asked for by this reference, and answers it.
    fn used(&self, manifest: &Digest, resolved: Digest) -> Result<Option<Image>, PullError> {
        let now = self.inner.environment.now();
        let (image, changed) = {
            let mut state = self.inner.state.lock();
            let Some(known) = state.images.get_mut(manifest) else { return Ok(None) };
            let changed = note_use(&mut known.record, self, &resolved, now);
            let record = changed.then(|| known.record.clone());
            (known.image(resolved), record)
        };
        if let Some(record) = changed {
            self.inner.layout.write_image(&record)?;
            self.forget_elsewhere(manifest)?;
        }
        Ok(Some(image))
    }

    /// A reference means one image: takes it from the one that it meant before.
    fn forget_elsewhere(&self, manifest: &Digest) -> Result<(), PullError> {
        let platform = self.platform.to_string();
        let mut moved = Vec::new();
        for known in self.inner.state.lock().images.values_mut() {
            let before = known.record.references.len();
            if known.record.manifest != *manifest {
                known.record.references.retain(|(text, wanted, _)| *text != self.text || *wanted != platform);
            }
            if known.record.references.len() != before {
                moved.push(known.record.clone());
            }
        }
        for record in moved {
            self.inner.layout.write_image(&record)?;
        }
        Ok(())
    }

    /// Asks the registry for the manifest, through an index if there is one.
    async fn find(&self) -> Result<Found, PullError> {
        let (resolved, document) = self.document(&self.reference.target(), self.reference.digest()).await?;
        let manifests = match document {
            Document::Image(manifest) => {
                return Ok(Found { digest: resolved.clone(), resolved, manifest });
            }
            Document::Index(manifests) => manifests,
        };
        let chosen = select(&manifests, &self.platform)
            .ok_or_else(|| PullError::NoPlatform { platform: self.platform.clone() })?;
        match self.document(chosen.digest.as_str(), Some(&chosen.digest)).await? {
            (digest, Document::Image(manifest)) => Ok(Found { resolved, digest, manifest }),
            (_, Document::Index(_)) => Err(self.unusable("the index leads to another index")),
        }
    }

    /// A manifest or index, verified against the digest it is asked for by.
    async fn document(
        &self,
        target: &str,
        expected: Option<&Digest>,
    ) -> Result<(Digest, Document), PullError> {
        let limit = self.inner.limits.manifest_bytes;
        let fetched = self
            .retry(|| self.inner.client.manifest(&self.repository, target, &self.text, limit))
            .await
            .map_err(|(cause, attempts)| self.unresolved(cause, attempts))?;
        let claimed = fetched.claimed.as_deref().and_then(|claimed| claimed.parse::<Digest>().ok());
        let digest = match expected.or(claimed.as_ref()) {
            Some(expected) if expected.matches(&fetched.bytes) => expected.clone(),
            Some(expected) => {
                let actual = Digest::of(&fetched.bytes);
                return Err(self.unusable(&format!("manifest has digest {actual}, expected {expected}")));
            }
            None => Digest::of(&fetched.bytes),
        };
        let document = Document::parse(&fetched.bytes, fetched.content_type.as_deref())
            .map_err(|error| self.unusable(&error.to_string()))?;
        Ok((digest, document))
    }

    /// Makes everything the manifest names present.
    async fn make(&self, found: Found) -> Result<Image, PullError> {
        // Whoever pulls the same image at the same time waits here, and finds it.
        let _flight = self.inner.flight(found.digest.as_str()).await;
        let known = self
            .inner
            .state
            .lock()
            .images
            .get(&found.digest)
            .map(|known| fits(&known.record, &self.platform));
        match known {
            Some(false) => return Err(PullError::NoPlatform { platform: self.platform.clone() }),
            Some(true) => {
                if let Some(image) = self.used_through(&found)? {
                    return Ok(image);
                }
            }
            None => {}
        }
        self.tell(|| PullEvent::Resolved {
            manifest: found.digest.clone(),
            layers: found.manifest.layers.len(),
        });
        let config = self.config(&found.manifest).await?;
        let chain = self.check(&found.manifest, &config)?;
        let _pinned = Pinned::new(self.inner, &chain);
        let budget = Arc::new(Budget::new(&self.inner.limits));
        let layers =
            found.manifest.layers.iter().enumerate().map(|(index, blob)| {
                layer::ready(self.inner, &self.repository, blob, &chain[..=index], &budget)
            });
        let ready = try_join_all(layers).await.map_err(|error| self.explained(error, &found.manifest))?;
        let records = self.stack(&found.manifest, &chain, ready).await?;
        let record = ImageRecord {
            manifest: found.digest.clone(),
            config: config.run_config(),
            layers: records.iter().map(|layer| layer.key.clone()).collect(),
            bytes: records.iter().map(|layer| layer.bytes).sum(),
            parents: Vec::new(),
            references: Vec::new(),
            last_used: Timestamp::default(),
        };
        self.inner.state.lock().insert(&self.inner.layout, record);
        let image = self.used_through(&found)?;
        image.ok_or_else(|| self.unusable("the image was removed while it was pulled"))
    }

    /// [`Self::used`], and the index it was chosen from noted.
    fn used_through(&self, found: &Found) -> Result<Option<Image>, PullError> {
        if found.resolved != found.digest
            && let Some(known) = self.inner.state.lock().images.get_mut(&found.digest)
        {
            let parent = (found.resolved.clone(), self.platform.to_string());
            if !known.record.parents.contains(&parent) {
                known.record.parents.push(parent);
                // Makes the note below due.
                known.record.last_used = Timestamp::default();
            }
        }
        self.used(&found.digest, found.resolved.clone())
    }

    async fn config(&self, manifest: &Manifest) -> Result<ConfigFile, PullError> {
        let blob = &manifest.config;
        let limit = self.inner.limits.config_bytes;
        let fetch = |cause, attempts| PullError::Fetch { digest: blob.digest.clone(), attempts, cause };
        let bytes = self
            .retry(|| self.inner.client.small_blob(&self.repository, &blob.digest, limit))
            .await
            .map_err(|(cause, attempts)| fetch(cause, attempts))?;
        if !blob.digest.matches(&bytes) {
            let cause = LayerError::Digest { expected: blob.digest.clone(), actual: Digest::of(&bytes) };
            return Err(PullError::Extract { digest: blob.digest.clone(), attempts: 1, cause });
        }
        serde_json::from_slice(&bytes)
            .map_err(|error| self.unusable(&format!("the image configuration is not valid: {error}")))
    }

    /// Refuses what cannot be run; answers the digests of the unpacked layers.
    fn check(&self, manifest: &Manifest, config: &ConfigFile) -> Result<Vec<Digest>, PullError> {
        let limit = self.inner.limits.layers;
        if manifest.layers.len() > limit {
            return Err(self.unusable(&format!("the image has more than {limit} layers")));
        }
        if manifest.layers.is_empty() {
            return Err(self.unusable("the image has no layers"));
        }
        if let Some(layer) = manifest.layers.iter().find(|layer| !is_layer(&layer.media_type)) {
            return Err(self.unusable(&format!("unsupported layer media type {:?}", layer.media_type)));
        }
        if config.rootfs.diff_ids.len() != manifest.layers.len() {
            return Err(self.unusable("mismatched image rootfs and manifest layers"));
        }
        if config.platform().is_some_and(|platform| platform.suits(&self.platform).is_none()) {
            return Err(PullError::NoPlatform { platform: self.platform.clone() });
        }
        Ok(config.rootfs.diff_ids.clone())
    }

    /// Finishes the layers that depend on those below them, from the lowest up.
    async fn stack(
        &self,
        manifest: &Manifest,
        chain: &[Digest],
        ready: Vec<Ready>,
    ) -> Result<Vec<LayerRecord>, PullError> {
        let mut records: Vec<LayerRecord> = Vec::with_capacity(ready.len());
        for (index, ready) in ready.into_iter().enumerate() {
            let blob: &Descriptor = &manifest.layers[index];
            let (record, fetched) = match ready {
                Ready::Shared { record, fetched } => (record, fetched),
                Ready::Unfinished { work, unpacked, fetched } => {
                    let lower: Vec<PathBuf> =
                        records.iter().map(|record| self.inner.layout.layer(&record.key)).collect();
                    let done =
                        layer::finish(self.inner, blob, &chain[..=index], lower, work, unpacked).await?;
                    (done, Some(fetched))
                }
            };
            self.tell(|| match fetched {
                Some(bytes) => PullEvent::LayerDone { blob: blob.digest.clone(), bytes },
                None => PullEvent::LayerPresent(blob.digest.clone()),
            });
            records.push(record);
        }
        Ok(records)
    }

    /// Repeats a request while its failure is transient; on failure also tells how often it was made.
    async fn retry<T, F>(&self, mut request: impl FnMut() -> F) -> Result<T, (RegistryError, u32)>
    where
        F: Future<Output = Result<T, RegistryError>>,
    {
        let mut attempts = 1;
        loop {
            match request().await {
                Err(error) if error.is_transient() && attempts < self.inner.limits.attempts => {
                    attempts += 1;
                    tracing::debug!(reference = self.text, attempts, %error, "asking the registry again");
                    self.inner.environment.sleep(backoff(attempts)).await;
                }
                result => return result.map_err(|error| (error, attempts)),
            }
        }
    }

    fn tell(&self, event: impl FnOnce() -> PullEvent) {
        if let Some(progress) = &self.options.progress {
            (progress.0)(event());
        }
    }

    /// A failure, with what the manifest has to say to it.
    fn explained(&self, error: PullError, manifest: &Manifest) -> PullError {
        if let PullError::Fetch { digest, cause: RegistryError::NotFound { .. }, .. } = &error
            && manifest.layers.iter().any(|layer| layer.digest == *digest && is_foreign(&layer.media_type))
        {
            let reason = format!(
                "layer {digest} is foreign: the registry does not have it, and it is not fetched from elsewhere"
            );
            return self.unusable(&reason);
        }
        error
    }

    fn unresolved(&self, cause: RegistryError, attempts: u32) -> PullError {
        PullError::Resolve { reference: self.text.clone(), attempts, cause }
    }

    fn unusable(&self, reason: &str) -> PullError {
        PullError::Unusable { reference: self.text.clone(), reason: reason.to_owned() }
    }
}

fn fits(record: &ImageRecord, wanted: &Platform) -> bool {
    record.config.platform.as_ref().is_none_or(|platform| platform.suits(wanted).is_some())
}

/// Notes reference and time of a use; answers whether that is worth writing down.
fn note_use(record: &mut ImageRecord, pull: &Pull<'_>, resolved: &Digest, now: Timestamp) -> bool {
    let noted = (pull.text.clone(), pull.platform.to_string(), resolved.clone());
    let known = record.references.contains(&noted);
    if !known {
        record.references.retain(|(text, platform, _)| (text, platform) != (&noted.0, &noted.1));
        record.references.push(noted);
    }
    let stale = now.since(record.last_used) >= USE_PRECISION;
    if stale {
        record.last_used = now;
    }
    stale || !known
}
