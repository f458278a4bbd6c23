//! A manifest is taken: checked against what it names, written with its tag and the event.

use crate::document::Document;
use crate::events::{append_event, of_image};
use crate::{ImageError, ImageRegistry, key};
use blob_store::{Algorithm, Digest};
use resources::ecr::{Image, ImageAction, ImageTag, Repository, StorageClass};
use store::{Batch, Versioned};

/// Attempts at a tag that others move at the same time.
const MOST_ATTEMPTS: usize = 20;

/// A manifest that somebody brings.
#[derive(Clone, Debug)]
pub struct PushImage<'a> {
    /// The manifest, byte for byte.
    pub manifest: String,
    /// What the client says that it is.
    pub media_type: Option<&'a str>,
    /// The digest that it must have.
    pub digest: Option<Digest>,
    /// The tag that it gets.
    pub tag: Option<&'a str>,
    /// Whether all that it names must be in the repository already.
    pub complete: bool,
}

/// What became of it.
#[derive(Debug)]
pub struct Pushed {
    /// The image as it is now.
    pub image: Image,
    /// Whether something was written: it is new, restored, or the tag is new on it.
    pub changed: bool,
}

impl ImageRegistry {
    /// Takes a manifest.
    pub async fn push(&self, repository: &Repository, push: PushImage<'_>) -> Result<Pushed, ImageError> {
        let algorithm = push.digest.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
        let found = Digest::by(algorithm, push.manifest.as_bytes());
        if let Some(wanted) = push.digest.filter(|wanted| *wanted != found) {
            return Err(ImageError::DigestMismatch { wanted, found });
        }
        let document = Document::read(&push.manifest, push.media_type)?;
        let pushing = self.pushing.read().await;
        if push.complete {
            self.require_all(repository, &document).await?;
        }
        let image = Image {
            account: repository.account.clone(),
            repository: repository.name.clone(),
            digest: found.to_string(),
            media_type: document.media_type,
            artifact_type: document.artifact_type,
            size: document.size,
            blobs: document.blobs,
            children: document.children,
            subject: document.subject,
            manifest: push.manifest,
            pushed_at: self.environment().now(),
            storage_class: StorageClass::Standard,
            archived_at: None,
            activated_at: None,
        };
        let pushed = self.write(repository, image, push.tag).await;
        drop(pushing);
        pushed
    }

    async fn require_all(&self, repository: &Repository, document: &Document) -> Result<(), ImageError> {
        let mut missing = Vec::new();
        for digest in &document.required_blobs {
            let parsed: Digest =
                digest.parse().map_err(|_| ImageError::ManifestInvalid(format!("not a digest: {digest}")))?;
            if self.link(&repository.account, &repository.name, &parsed).await?.is_none() {
                missing.push(digest.clone());
            }
        }
        if !missing.is_empty() {
            return Err(ImageError::BlobsMissing(missing));
        }
        for digest in &document.children {
            if self.image(repository, digest).await?.is_none() {
                missing.push(digest.clone());
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(ImageError::ChildrenMissing(missing)) }
    }

    /// Writes the image and moves the tag, together.
    async fn write(
        &self,
        repository: &Repository,
        image: Image,
        tag: Option<&str>,
    ) -> Result<Pushed, ImageError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let old = self.image(repository, &image.digest).await?;
            let (image, batch) = restored(self.tables.batch(), old, &image);
            let mut changed = batch.is_some();
            let mut batch = batch.unwrap_or_else(|| self.tables.batch());
            if let Some(tag) = tag {
                let row = ImageTag {
                    account: repository.account.clone(),
                    repository: repository.name.clone(),
                    tag: tag.to_owned(),
                    digest: image.digest.clone(),
                    tagged_at: self.environment().now(),
                };
                batch = match self.tables.get::<ImageTag>(&key(repository, tag)).await? {
                    Some(old) if old.digest == image.digest => batch.require_unchanged(&old),
                    Some(old) if repository.is_immutable(tag) => {
                        let (tag, digest) = (tag.to_owned(), old.digest.clone());
                        return Err(ImageError::TagImmutable { tag, digest });
                    }
                    other => {
                        changed = true;
                        match other {
                            Some(old) => batch.replace(&old, &row),
                            None => batch.create(&row),
                        }
                    }
                };
            }
            if !changed {
                return Ok(Pushed { image, changed });
            }
            let event = of_image(&image, ImageAction::Push);
            let batch = append_event(batch, self.environment(), &image, tag, event);
            match batch.commit().await {
                Ok(_) => return Ok(Pushed { image, changed }),
                Err(error) if error.is_conflict() && attempts < MOST_ATTEMPTS => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The image as it will be and the write that makes it so; no write when it is so already.
fn restored(batch: Batch, old: Option<Versioned<Image>>, new: &Image) -> (Image, Option<Batch>) {
    match old {
        None => {
            let batch = batch.create(new);
            (new.clone(), Some(batch))
        }
        // An archived image comes back when it is pushed again.
        Some(old) if old.is_archived() => {
            let image = Image {
                storage_class: StorageClass::Standard,
                activated_at: Some(new.pushed_at),
                ..(*old.value).clone()
            };
            let batch = batch.replace(&old, &image);
            (image, Some(batch))
        }
        Some(old) => ((*old.value).clone(), None),
    }
}
