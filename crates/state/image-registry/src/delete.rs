//! Images and tags go.

use crate::events::{append_event, of_image};
use crate::{ImageError, ImageRegistry, key};
use resources::Stored;
use resources::ecr::{
    BlobLink, Image, ImageAction, ImagePulls, ImageReplication, ImageTag, LifecyclePolicyPreview, Repository,
};
use store::{Batch, StoreError, Versioned};

/// Rows deleted in one transaction.
const BATCH: usize = 500;

/// Tags taken off in one transaction, with an event for each.
const TAGS_AT_ONCE: usize = 200;

/// What became of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone.
    Gone,
    /// Somebody changed the image or its tags at the same time; nothing was done.
    Changed,
}

impl ImageRegistry {
    /// Takes tags off an image; with `whole` the image goes too. `tags` are then all that it has.
    pub async fn delete(
        &self,
        repository: &Repository,
        image: &Versioned<Image>,
        tags: &[Versioned<ImageTag>],
        whole: bool,
    ) -> Result<Deleted, ImageError> {
        // One transaction has room for so many; the image goes with the last of them.
        let (first, last) = tags.split_at(tags.len().saturating_sub(TAGS_AT_ONCE));
        for some in first.chunks(TAGS_AT_ONCE) {
            let batch = self.without_tags(image, some).require_exists(image);
            if !committed(batch).await? {
                return Ok(Deleted::Changed);
            }
        }
        let mut batch = self.without_tags(image, last);
        if tags.is_empty() {
            let event = of_image(image, ImageAction::Delete);
            batch = append_event(batch, self.environment(), image, None, event);
        }
        if whole {
            batch = batch.delete(image).delete_any::<ImagePulls>(&key(repository, &image.digest));
            let copies = key(repository, &format!("{}/", image.digest));
            for copy in self.tables.list_all::<ImageReplication>(&copies).await? {
                batch = batch.delete_any::<ImageReplication>(&copy.key());
            }
        }
        if !committed(batch).await? {
            return Ok(Deleted::Changed);
        }
        if whole {
            self.drop_late_tags(repository, image).await?;
        }
        Ok(Deleted::Gone)
    }

    fn without_tags(&self, image: &Versioned<Image>, tags: &[Versioned<ImageTag>]) -> Batch {
        tags.iter().fold(self.tables.batch(), |batch, tag| {
            let event = of_image(image, ImageAction::Delete);
            append_event(batch.delete(tag), self.environment(), image, Some(&tag.tag), event)
        })
    }

    /// Tags that were put on an image after its tags were read and before it went; none can be from now on.
    async fn drop_late_tags(&self, repository: &Repository, image: &Image) -> Result<(), ImageError> {
        for tag in self.tables.list_all::<ImageTag>(&key(repository, "")).await? {
            if tag.digest == image.digest {
                committed(self.tables.batch().delete(&tag)).await?;
            }
        }
        Ok(())
    }

    /// Deletes a repository with all that is in it.
    pub async fn delete_repository(&self, repository: &Versioned<Repository>) -> Result<(), ImageError> {
        // The repository goes first, so that nothing is pushed into what is being cleared; what a crash leaves behind
        // is seen by nobody and goes when a repository of that name is deleted again.
        self.tables.delete(repository).await?;
        self.clear::<ImageTag>(repository).await?;
        self.clear::<Image>(repository).await?;
        self.clear::<ImagePulls>(repository).await?;
        self.clear::<ImageReplication>(repository).await?;
        self.clear::<LifecyclePolicyPreview>(repository).await?;
        self.clear::<BlobLink>(repository).await?;
        Ok(())
    }

    async fn clear<T: Stored>(&self, repository: &Repository) -> Result<(), StoreError> {
        let rows = self.tables.list_all::<T>(&key(repository, "")).await?;
        for some in rows.chunks(BATCH) {
            let batch = some.iter().fold(self.tables.batch(), |batch, row| batch.delete_any::<T>(&row.key()));
            batch.commit().await?;
        }
        Ok(())
    }
}

async fn committed(batch: Batch) -> Result<bool, StoreError> {
    match batch.commit().await {
        Ok(_) => Ok(true),
        Err(error) if error.is_conflict() => Ok(false),
        Err(error) => Err(error),
    }
}
