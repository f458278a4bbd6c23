//! A manifest is taken: checked against what it names, written with its tag and the event.

use crate::document::{Descriptor, Document, MOST_DEPTH, is_index};
use crate::events::{append_event, of_image};
use crate::{ImageError, ImageRegistry, key};
use blob_store::{Algorithm, Digest};
use resources::ecr::{
    BlobLink, Image, ImageAction, ImageReplication, ImageTag, Registry, ReplicationDestination,
    ReplicationState, Repository, StorageClass,
};
use std::collections::HashSet;
use store::{Batch, StoreError, Versioned};

/// Attempts at rows that others write at the same time.
const MOST_ATTEMPTS: usize = 100;
/// Manifests that are looked at to find out how deep an index goes.
const MOST_VISITED: usize = 10_000;

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
    /// Whether it goes on to the registries that replication copies to. A copy does not.
    pub replicate: bool,
}

/// What became of it.
#[derive(Debug)]
pub struct Pushed {
    /// The image as it is now.
    pub image: Image,
    /// Whether something was written: it is new, restored, or the tag is new on it.
    pub changed: bool,
    /// Whether the manifest says itself of which type it is.
    pub says_its_type: bool,
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
        if push.complete {
            self.require_all(repository, &document).await?;
        }
        let size = if is_index(&document.media_type) {
            self.largest(repository, &document.children).await?
        } else {
            document.size
        };
        let image = Image {
            account: repository.account.clone(),
            repository: repository.name.clone(),
            digest: found.to_string(),
            media_type: document.media_type,
            artifact_type: document.artifact_type,
            size,
            blobs: document.blobs,
            children: document.children,
            subject: document.subject,
            manifest: push.manifest,
            pushed_at: self.environment().now(),
            storage_class: StorageClass::Standard,
            archived_at: None,
            activated_at: None,
        };
        let destinations = if push.replicate { self.destinations(repository).await? } else { Vec::new() };
        let needs =
            Needs { blobs: &document.required_blobs, complete: push.complete, destinations: &destinations };
        let pushed = self.write(repository, image, &needs, push.tag).await?;
        Ok(Pushed { says_its_type: document.says_its_type, ..pushed })
    }

    /// The size of the largest of some images, as which the size of an index is shown.
    async fn largest(&self, repository: &Repository, digests: &[String]) -> Result<u64, StoreError> {
        let mut largest = 0;
        for digest in digests {
            let image = self.image(repository, digest).await?;
            largest = largest.max(image.map_or(0, |image| image.size));
        }
        Ok(largest)
    }

    /// Tells all that is missing at once; whether it stays is seen to when the image is written.
    async fn require_all(&self, repository: &Repository, document: &Document) -> Result<(), ImageError> {
        let mut missing = Vec::new();
        for descriptor in &document.required_blobs {
            let digest = parsed(descriptor)?;
            match self.link(&repository.account, &repository.name, &digest).await? {
                None => missing.push(descriptor.digest.clone()),
                Some(link) => {
                    if let Some(said) = descriptor.size.filter(|said| *said != link.size) {
                        let (digest, found) = (descriptor.digest.clone(), link.size);
                        return Err(ImageError::SizeMismatch { digest, said, found });
                    }
                }
            }
        }
        if !missing.is_empty() {
            return Err(ImageError::BlobsMissing(missing));
        }
        self.require_children(repository, document).await
    }

    /// The manifests of an index must be there, and not go deeper than anybody follows them.
    async fn require_children(&self, repository: &Repository, document: &Document) -> Result<(), ImageError> {
        let mut level: Vec<String> = document.children.clone();
        let mut visited: HashSet<String> = HashSet::new();
        let mut missing = Vec::new();
        for depth in 0.. {
            if level.is_empty() {
                break;
            }
            if depth == MOST_DEPTH || visited.len() > MOST_VISITED {
                let text = format!("indexes in indexes, deeper than {MOST_DEPTH}");
                return Err(ImageError::ManifestInvalid(text));
            }
            let mut next = Vec::new();
            for digest in level {
                if !visited.insert(digest.clone()) {
                    continue;
                }
                match self.image(repository, &digest).await? {
                    Some(child) => next.extend(child.children.iter().cloned()),
                    // What lies below was complete when it was pushed; what was deleted since is not this one's fault.
                    None if depth > 0 => {}
                    None => missing.push(digest),
                }
            }
            level = next;
        }
        if missing.is_empty() { Ok(()) } else { Err(ImageError::ChildrenMissing(missing)) }
    }

    /// Adds to a batch that all that the image needs stays, marking links that no image has needed before.
    async fn hold(
        &self,
        repository: &Repository,
        image: &Image,
        needs: &Needs<'_>,
        mut batch: Batch,
    ) -> Result<Batch, ImageError> {
        let there =
            self.tables.get::<Repository>(&format!("{}/{}", repository.account, repository.name)).await?;
        batch = batch.require_exists(&there.ok_or(ImageError::RepositoryGone)?);
        let mut seen = HashSet::new();
        for descriptor in needs.blobs.iter().filter(|descriptor| seen.insert(&descriptor.digest)) {
            let digest = parsed(descriptor)?;
            let link = self.link(&repository.account, &repository.name, &digest).await?;
            batch = match link {
                Some(link) if link.referenced => batch.require_unchanged(&link),
                Some(link) => batch.replace(&link, &BlobLink { referenced: true, ..(*link.value).clone() }),
                None if needs.complete => {
                    return Err(ImageError::BlobsMissing(vec![descriptor.digest.clone()]));
                }
                None => batch,
            };
        }
        for digest in image.children.iter().filter(|_| needs.complete) {
            let child = self.image(repository, digest).await?;
            let child = child.ok_or_else(|| ImageError::ChildrenMissing(vec![digest.clone()]))?;
            batch = batch.require_exists(&child);
        }
        Ok(batch)
    }

    /// Writes the image and moves the tag, together.
    async fn write(
        &self,
        repository: &Repository,
        image: Image,
        needs: &Needs<'_>,
        tag: Option<&str>,
    ) -> Result<Pushed, ImageError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let old = self.image(repository, &image.digest).await?;
            let batch = self.hold(repository, &image, needs, self.tables.batch()).await?;
            let (image, mut batch, mut changed) = restored(batch, old, &image);
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
                // Nothing to write, but that all is still there must be so now.
                match batch.commit().await {
                    Ok(_) => return Ok(Pushed { image, changed, says_its_type: true }),
                    Err(error) if error.is_conflict() && attempts < MOST_ATTEMPTS => continue,
                    Err(error) if error.is_conflict() => return Err(ImageError::Busy),
                    Err(error) => return Err(error.into()),
                }
            }
            let event = of_image(&image, ImageAction::Push);
            let mut batch = append_event(batch, self.environment(), &image, tag, event);
            for destination in needs.destinations {
                batch = batch.put_any(&self.copy(&image, destination));
            }
            match batch.commit().await {
                Ok(_) => return Ok(Pushed { image, changed, says_its_type: true }),
                Err(error) if error.is_conflict() && attempts < MOST_ATTEMPTS => {}
                Err(error) if error.is_conflict() => return Err(ImageError::Busy),
                Err(StoreError::TooLarge { .. }) => {
                    return Err(ImageError::ManifestInvalid(
                        "the manifest is too large to be kept".to_owned(),
                    ));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The registries that images of a repository are copied to.
    async fn destinations(&self, repository: &Repository) -> Result<Vec<ReplicationDestination>, ImageError> {
        if repository.is_public() {
            return Ok(Vec::new());
        }
        let registry = self.tables.get::<Registry>(repository.account.as_str()).await?;
        let mut all: Vec<ReplicationDestination> = Vec::new();
        let rules = registry.iter().flat_map(|registry| &registry.replication);
        for destination in
            rules.filter(|rule| rule.covers(&repository.name)).flat_map(|rule| &rule.destinations)
        {
            if !all.contains(destination) {
                all.push(destination.clone());
            }
        }
        Ok(all)
    }

    /// A copy that is to be made.
    fn copy(&self, image: &Image, destination: &ReplicationDestination) -> ImageReplication {
        ImageReplication {
            account: image.account.clone(),
            repository: image.repository.clone(),
            digest: image.digest.clone(),
            region: destination.region.clone(),
            destination: destination.account.clone(),
            state: ReplicationState::InProgress,
            failure: None,
            attempts: 0,
            updated_at: self.environment().now(),
        }
    }
}

/// What must stay as long as the image is written, and what is written with it.
struct Needs<'a> {
    blobs: &'a [Descriptor],
    /// All of it must be there, and not just what is there stay.
    complete: bool,
    /// Where it is to be copied.
    destinations: &'a [ReplicationDestination],
}

fn parsed(descriptor: &Descriptor) -> Result<Digest, ImageError> {
    descriptor
        .digest
        .parse()
        .map_err(|_| ImageError::ManifestInvalid(format!("not a digest: {}", descriptor.digest)))
}

/// The image as it will be, the write that makes it so, and whether it is not so already.
fn restored(batch: Batch, old: Option<Versioned<Image>>, new: &Image) -> (Image, Batch, bool) {
    match old {
        None => (new.clone(), batch.create(new), true),
        // An archived image comes back when it is pushed again.
        Some(old) if old.is_archived() => {
            let image = Image {
                storage_class: StorageClass::Standard,
                activated_at: Some(new.pushed_at),
                ..(*old.value).clone()
            };
            let batch = batch.replace(&old, &image);
            (image, batch, true)
        }
        // A tag is put on it only as long as it is there.
        Some(old) => ((*old.value).clone(), batch.require_unchanged(&old), false),
    }
}
