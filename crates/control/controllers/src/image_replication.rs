//! Copies images to the registries of other accounts of the region, and to those of other regions.
//!
//! A push writes down which copies are to be made, together with the image. The blobs of both registries are the same
//! files, so a copy is its rows. The registry copied to must allow it by its policy, as on ECR, unless it is of the same
//! account; copies are not copied on. Another region is pushed to as its own registry wants it, and decides itself.

mod other_region;

pub use other_region::{OtherRegions, Reached, Unreachable};

use self::other_region::OtherRegion;
use iam_policy::{Context, Policies, Policy, PolicyKind, Principal, Request, Source, evaluate};
use identifiers::{AccountId, Arn, Region};
use image_registry::{ImageError, ImageRegistry, PushImage, append_event};
use reconcile::{Next, Queue, Reconciler};
use resources::Stored;
use resources::ecr::{
    AppliedFor, EventKind, Image, ImageReplication, ImageTag, Registry, ReplicationState, Repository, rows_of,
};
use std::sync::{Arc, LazyLock};
use store::{StoreError, Versioned};

/// Deepest index in an index that is copied.
const MOST_LEVELS: usize = 5;

/// Whoever set up the replication may do anything in its own account.
static EVERYTHING: LazyLock<Arc<Policy>> = LazyLock::new(|| {
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    Arc::new(Policy::parse(text, PolicyKind::Identity).expect("a policy that is written here"))
});

/// The controller.
pub struct ImageReplicationController {
    images: ImageRegistry,
    region: Region,
    others: OtherRegion,
    queue: Queue<String>,
}

/// Why a copy is not made yet.
#[derive(Debug, thiserror::Error)]
pub enum ReplicationError {
    /// What is here cannot be read, or the copy not be written.
    #[error(transparent)]
    Images(#[from] ImageError),
    /// The other region cannot be reached, or failed.
    #[error("copy to {region}: {reason}")]
    Region {
        /// The other region.
        region: String,
        /// What happened.
        reason: String,
    },
}

impl From<StoreError> for ReplicationError {
    fn from(error: StoreError) -> Self {
        Self::Images(error.into())
    }
}

/// Why a copy cannot be made, as DescribeImageReplicationStatus says it.
enum Failure {
    /// It will not be possible later either.
    Final(&'static str),
    /// The region failed; it is tried again.
    Region(ImageError),
    /// The other region failed; it is tried again.
    OtherRegion(String),
}

impl<E: Into<ImageError>> From<E> for Failure {
    fn from(error: E) -> Self {
        match error.into() {
            ImageError::TagImmutable { .. } => Self::Final("ImageTagAlreadyExists"),
            ImageError::TemplateRole(_) => Self::Final("AccessDenied"),
            error => Self::Region(error),
        }
    }
}

impl ImageReplicationController {
    /// Over a region's images.
    pub fn new(
        images: ImageRegistry,
        region: Region,
        others: Arc<dyn OtherRegions>,
        queue: Queue<String>,
    ) -> Self {
        let others = OtherRegion::new(images.clone(), others);
        Self { images, region, others, queue }
    }

    /// A copy is to be made.
    pub(crate) fn see(&self, seen: &crate::feed::Seen<ImageReplication>) {
        if let crate::feed::Seen::Row(copy) = seen
            && copy.state == ReplicationState::InProgress
        {
            self.queue.nudge(copy.key());
        }
    }

    /// Makes a copy with all tags that the image has now.
    async fn copy(&self, copy: &ImageReplication, image: &Image) -> Result<(), Failure> {
        if copy.region != self.region.as_str() {
            return self.others.copy(copy, image).await;
        }
        let target = self.target(copy).await?;
        self.copy_image(&target, image, MOST_LEVELS).await?;
        let rows = rows_of(&copy.account, &copy.repository);
        for tag in self.images.tables().list_all::<ImageTag>(&rows).await? {
            if tag.digest == image.digest {
                self.push(&target, image, Some(&tag.tag)).await?;
            }
        }
        Ok(())
    }

    /// The repository that is copied to, made if it may be.
    async fn target(&self, copy: &ImageReplication) -> Result<Repository, Failure> {
        let key = format!("{}/{}", copy.destination, copy.repository);
        let found = self.images.tables().get::<Repository>(&key).await?;
        let registry = self.images.tables().get::<Registry>(copy.destination.as_str()).await?;
        let policy = registry.as_ref().and_then(|registry| registry.policy.as_deref());
        let allowed =
            |action| self.allows(policy, &copy.account, &copy.destination, (action, &copy.repository));
        if !allowed("ecr:ReplicateImage") || (found.is_none() && !allowed("ecr:CreateRepository")) {
            return Err(Failure::Final("AccessDenied"));
        }
        if let Some(found) = found {
            return Ok((*found.value).clone());
        }
        let purpose = AppliedFor::Replication;
        Ok(self.images.ensure_repository(&copy.destination, &copy.repository, purpose).await?)
    }

    fn allows(
        &self,
        policy: Option<&str>,
        from: &AccountId,
        to: &AccountId,
        (action, repository): (&str, &str),
    ) -> bool {
        if from == to {
            return true;
        }
        let Some(policy) = policy.and_then(|text| Policy::parse(text, PolicyKind::Resource).ok()) else {
            return false;
        };
        let policy = Source { id: "registry policy".into(), policy: Arc::new(policy) };
        let identity = [Source { id: "root".into(), policy: EVERYTHING.clone() }];
        let arn = format!("arn:aws:iam::{from}:root");
        let principal = Principal::Root { account: from.clone(), arn };
        let resource = Arn::new("ecr", &self.region, to, format!("repository/{repository}")).to_string();
        let mut context = Context::new();
        principal.describe(&mut context);
        let request = Request { principal: &principal, action, resource: &resource, context: &context };
        let policies = Policies {
            identity: &identity,
            resource: Some(&policy),
            resource_account: Some(to),
            ..Policies::default()
        };
        evaluate(&request, &policies).is_allowed()
    }

    /// Copies an image with what it names: the manifests of an index first.
    async fn copy_image(&self, target: &Repository, image: &Image, levels: usize) -> Result<(), Failure> {
        for child in &image.children {
            let key = rows_of(&image.account, &image.repository) + child;
            let Some(child) = self.images.tables().get::<Image>(&key).await? else { continue };
            if levels == 0 {
                return Err(Failure::Final("ManifestTooDeep"));
            }
            Box::pin(self.copy_image(target, &child, levels - 1)).await?;
        }
        for digest in &image.blobs {
            let Ok(digest) = digest.parse() else { continue };
            // Layers that were never to be pushed are not there.
            let link = self.images.link(&image.account, &image.repository, &digest).await?;
            if let Some(link) = link {
                self.images.add_link(&target.account, &target.name, &digest, link.size).await?;
            }
        }
        self.push(target, image, None).await
    }

    async fn push(&self, target: &Repository, image: &Image, tag: Option<&str>) -> Result<(), Failure> {
        let push = PushImage {
            manifest: image.manifest.clone(),
            media_type: Some(&image.media_type),
            digest: image.digest.parse().ok(),
            tag,
            complete: true,
            replicate: false,
        };
        self.images.push(target, push).await?;
        Ok(())
    }

    /// Writes down why a copy is not there yet. Only what is new is written: each write is a nudge.
    async fn note_attempt(&self, row: &Versioned<ImageReplication>, reason: &str) -> Result<(), StoreError> {
        if row.failure.as_deref() == Some(reason) {
            return Ok(());
        }
        let tables = self.images.tables();
        let new = ImageReplication {
            failure: Some(reason.to_owned()),
            attempts: row.attempts.saturating_add(1),
            updated_at: tables.environment().now(),
            ..(*row.value).clone()
        };
        match tables.batch().replace(row, &new).commit().await {
            Ok(_) | Err(StoreError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes down how it went, with the event.
    async fn note(
        &self,
        row: &Versioned<ImageReplication>,
        image: &Image,
        failure: Option<&'static str>,
    ) -> Result<(), StoreError> {
        let tables = self.images.tables();
        let state = if failure.is_some() { ReplicationState::Failed } else { ReplicationState::Complete };
        let failure = failure.map(str::to_owned);
        let event = EventKind::Replication {
            region: row.region.clone(),
            destination: row.destination.clone(),
            failure: failure.clone(),
        };
        let new = ImageReplication {
            state,
            failure,
            attempts: row.attempts.saturating_add(1),
            updated_at: tables.environment().now(),
            ..(*row.value).clone()
        };
        let batch = tables.batch().replace(row, &new);
        match append_event(batch, tables.environment(), image, None, event).commit().await {
            // Pushed again, or deleted, while it was copied: the change has its own nudge.
            Ok(_) | Err(StoreError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Reconciler for ImageReplicationController {
    type Key = String;
    type Error = ReplicationError;

    async fn reconcile(&self, key: &String) -> Result<Next, ReplicationError> {
        let tables = self.images.tables();
        let Some(row) = tables.get::<ImageReplication>(key).await? else { return Ok(Next::Settled) };
        if row.state != ReplicationState::InProgress {
            return Ok(Next::Settled);
        }
        let image = rows_of(&row.account, &row.repository) + &row.digest;
        let Some(image) = tables.get::<Image>(&image).await? else {
            tables.batch().delete_any::<ImageReplication>(key).commit().await?;
            return Ok(Next::Settled);
        };
        match self.copy(&row, &image).await {
            Ok(()) => self.note(&row, &image, None).await?,
            Err(Failure::Final(code)) => self.note(&row, &image, Some(code)).await?,
            Err(Failure::Region(error)) => return Err(error.into()),
            Err(Failure::OtherRegion(reason)) => {
                self.note_attempt(&row, &reason).await?;
                return Err(ReplicationError::Region { region: row.region.clone(), reason });
            }
        }
        Ok(Next::Settled)
    }

    async fn keys(&self) -> Result<Vec<String>, ReplicationError> {
        let all = self.images.tables().list_all::<ImageReplication>("").await?;
        let due = all.iter().filter(|copy| copy.state == ReplicationState::InProgress);
        Ok(due.map(|copy| copy.key()).collect())
    }
}

#[cfg(test)]
mod tests;
