//! Applies the lifecycle policies of repositories.
//!
//! A policy acts as soon as it is put and then every minute. What a task of the region uses is spared, unless the region
//! is told otherwise.

mod in_use;

use image_registry::{ImageError, ImageRegistry, moved};
use in_use::InUse;
use lifecycle_policy::{Action, LifecyclePolicy, candidates, evaluate};
use reconcile::{Next, Queue, Reconciler};
use resources::Stored;
use resources::ecr::{Image, ImagePulls, ImageTag, LifecyclePolicyText, Repository, StorageClass, rows_of};
use resources::ecs::Task;
use std::collections::HashMap;
use std::time::Duration;
use store::{StoreError, Versioned};

/// Age after which the time of the last evaluation is written down anew although nothing was done.
const NOTED: Duration = Duration::from_secs(3600);

/// The controller.
pub struct ImageLifecycle {
    images: ImageRegistry,
    spare_in_use: bool,
    queue: Queue<String>,
}

/// What a repository holds.
struct Rows {
    images: Vec<Versioned<Image>>,
    tags: Vec<Versioned<ImageTag>>,
    pulls: Vec<Versioned<ImagePulls>>,
}

impl ImageLifecycle {
    /// Over a region's images. With `spare_in_use`, images that tasks use stay.
    pub fn new(images: ImageRegistry, spare_in_use: bool, queue: Queue<String>) -> Self {
        Self { images, spare_in_use, queue }
    }

    /// A repository changed: a policy that never was applied is applied now.
    pub(crate) fn see(&self, seen: &crate::feed::Seen<Repository>) {
        if let crate::feed::Seen::Row(repository) = seen
            && repository.lifecycle.as_ref().is_some_and(|policy| policy.evaluated_at.is_none())
        {
            self.queue.nudge(repository.key());
        }
    }

    async fn rows(&self, repository: &Repository) -> Result<Rows, StoreError> {
        let (tables, rows) = (self.images.tables(), rows_of(&repository.account, &repository.name));
        Ok(Rows {
            images: tables.list_all(&rows).await?,
            tags: tables.list_all(&rows).await?,
            pulls: tables.list_all(&rows).await?,
        })
    }

    /// Applies a policy and says how many images it acted on.
    async fn apply(&self, repository: &Repository, policy: &LifecyclePolicy) -> Result<usize, ImageError> {
        let rows = self.rows(repository).await?;
        let mut candidates = candidates(
            rows.images.iter().map(|row| &*row.value),
            rows.tags.iter().map(|row| &*row.value),
            rows.pulls.iter().map(|row| &*row.value),
        );
        if self.spare_in_use {
            // Read after the images: a task that begins later finds its image gone, as it would on ECR.
            let tasks = self.images.tables().list_all::<Task>("").await?;
            let in_use = InUse::of(tasks.iter().map(|row| &*row.value));
            for image in &mut candidates {
                image.in_use = in_use.holds(&repository.name, &image.digest, &image.tags);
            }
        }
        let mut tags: HashMap<&str, Vec<Versioned<ImageTag>>> = HashMap::new();
        for tag in &rows.tags {
            tags.entry(tag.digest.as_str()).or_default().push(tag.clone());
        }
        let now = self.images.tables().environment().now();
        let planned = evaluate(policy, &candidates, now);
        for plan in &planned {
            let image = &rows.images[plan.image];
            // What was changed meanwhile is looked at again next time.
            match plan.action {
                Action::Expire => {
                    let tags = tags.remove(image.digest.as_str()).unwrap_or_default();
                    self.images.delete(repository, image, &tags, true).await?;
                }
                Action::Archive => {
                    let batch = moved(self.images.tables(), image, StorageClass::Archive, now);
                    match batch.commit().await {
                        Ok(_) | Err(StoreError::Conflict(_)) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
        }
        Ok(planned.len())
    }

    async fn note(&self, repository: &Repository, applied: &LifecyclePolicyText) -> Result<(), StoreError> {
        let tables = self.images.tables();
        let now = tables.environment().now();
        let note = |old: &Repository| {
            let same = old.lifecycle.as_ref().filter(|policy| policy.put_at == applied.put_at);
            Ok::<_, StoreError>(same.map(|policy| Repository {
                lifecycle: Some(LifecyclePolicyText { evaluated_at: Some(now), ..policy.clone() }),
                ..old.clone()
            }))
        };
        tables.update::<Repository, StoreError>(&repository.key(), note).await?;
        Ok(())
    }
}

impl Reconciler for ImageLifecycle {
    type Key = String;
    type Error = ImageError;

    async fn reconcile(&self, key: &String) -> Result<Next, ImageError> {
        let Some(repository) = self.images.tables().get::<Repository>(key).await? else {
            return Ok(Next::Settled);
        };
        let Some(text) = &repository.lifecycle else { return Ok(Next::Settled) };
        let policy = match LifecyclePolicy::parse(&text.text) {
            Ok(policy) => policy,
            Err(error) => {
                tracing::warn!(%key, %error, "a stored lifecycle policy cannot be read");
                return Ok(Next::Settled);
            }
        };
        let acted = self.apply(&repository, &policy).await?;
        let now = self.images.tables().environment().now();
        let stale = text.evaluated_at.is_none_or(|evaluated| now.since(evaluated) > NOTED);
        if acted > 0 || stale {
            tracing::info!(%key, acted, "applied a lifecycle policy");
            self.note(&repository, text).await?;
        }
        Ok(Next::Settled)
    }

    async fn keys(&self) -> Result<Vec<String>, ImageError> {
        let all = self.images.tables().list_all::<Repository>("").await?;
        let with_policy = all.iter().filter(|repository| repository.lifecycle.is_some());
        Ok(with_policy.map(|repository| repository.key()).collect())
    }
}

#[cfg(test)]
mod tests;
