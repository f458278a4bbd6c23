//! Images of a repository, with their tags.

use crate::EcrService;
use crate::errors::{invalid, store};
use crate::shapes::{self as wire, ImageFailureCode, ImageIdentifier, errors};
use aws_wire::ServiceError;
use resources::Stored;
use resources::ecr::{Image, ImageTag, Repository, StorageClass, rows_of};
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use store::{Page, Versioned};

/// Rows read at a time; those of images have manifests in them.
const ROWS: usize = 100;
const NOT_FOUND: &str = "Requested image not found";

impl EcrService {
    /// The image that an identifier names.
    pub(crate) async fn find_image(
        &self,
        repository: &Repository,
        id: &ImageIdentifier,
    ) -> Result<Result<Versioned<Image>, wire::ImageFailure>, ServiceError> {
        let prefix = rows_of(&repository.account, &repository.name);
        let not_found = || failure(id, ImageFailureCode::ImageNotFound, NOT_FOUND);
        let tagged = match &id.image_tag {
            Some(tag) => match self.tables.get::<ImageTag>(&format!("{prefix}{tag}")).await.map_err(store)? {
                Some(row) => Some(row.digest.clone()),
                None => return Ok(Err(not_found())),
            },
            None => None,
        };
        let digest = match (&id.image_digest, tagged) {
            (None, None) => {
                let text = "Invalid request parameters: both tag and digest cannot be null";
                return Ok(Err(failure(id, ImageFailureCode::MissingDigestAndTag, text)));
            }
            (Some(digest), Some(tagged)) if *digest != tagged => return Ok(Err(not_found())),
            (Some(digest), _) => digest.clone(),
            (None, Some(tagged)) => tagged,
        };
        if !is_digest(&digest) {
            let text = "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'";
            return Ok(Err(failure(id, ImageFailureCode::InvalidImageDigest, text)));
        }
        Ok(self.image(repository, &digest).await?.ok_or_else(not_found))
    }

    /// An image by its digest.
    pub(crate) async fn image(
        &self,
        repository: &Repository,
        digest: &str,
    ) -> Result<Option<Versioned<Image>>, ServiceError> {
        self.registry.image(repository, digest).await.map_err(store)
    }

    /// The image that an identifier names, or the error that it is not there.
    pub(crate) async fn find_or_fail(
        &self,
        repository: &Repository,
        id: &ImageIdentifier,
    ) -> Result<Versioned<Image>, ServiceError> {
        self.find_image(repository, id).await?.map_err(|failure| match failure.failure_code {
            Some(ImageFailureCode::ImageNotFound) => no_image(repository, id),
            _ => invalid(failure.failure_reason.unwrap_or_default()),
        })
    }

    /// Looks at all images of a repository, some at a time, until `look` has seen enough. `after` is the digest of the one
    /// that was seen last.
    pub(crate) async fn each_image(
        &self,
        repository: &Repository,
        after: Option<&str>,
        look: impl FnMut(Versioned<Image>) -> ControlFlow<()> + Send,
    ) -> Result<(), ServiceError> {
        self.each(repository, after, look).await
    }

    async fn each<T: Stored>(
        &self,
        repository: &Repository,
        after: Option<&str>,
        mut look: impl FnMut(Versioned<T>) -> ControlFlow<()> + Send,
    ) -> Result<(), ServiceError> {
        let prefix = rows_of(&repository.account, &repository.name);
        let mut after = after.map(|after| format!("{prefix}{after}"));
        loop {
            let page = self.tables.list::<T>(&prefix, Page { after, limit: ROWS }).await.map_err(store)?;
            for row in page.items {
                if look(row).is_break() {
                    return Ok(());
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
            // Others have their turn while a large repository is looked through.
            tokio::task::yield_now().await;
        }
    }

    /// The manifests of each index of a repository that has some, by its digest.
    pub(crate) async fn holders(
        &self,
        repository: &Repository,
    ) -> Result<HashMap<String, Vec<String>>, ServiceError> {
        let mut holders = HashMap::new();
        let note = |image: Versioned<Image>| {
            if !image.children.is_empty() {
                holders.insert(image.digest.clone(), image.children.clone());
            }
            ControlFlow::Continue(())
        };
        self.each(repository, None, note).await?;
        Ok(holders)
    }

    /// How many tags each image of a repository has that has any.
    pub(crate) async fn tag_counts(&self, repository: &Repository) -> Result<TagCounts, ServiceError> {
        let mut counts = TagCounts::default();
        let count = |tag: Versioned<ImageTag>| {
            *counts.0.entry(short(&tag.digest)).or_default() += 1;
            ControlFlow::Continue(())
        };
        self.each(repository, None, count).await?;
        Ok(counts)
    }

    /// The tags of some images, by digest.
    pub(crate) async fn tags_of(
        &self,
        repository: &Repository,
        digests: HashSet<&str>,
    ) -> Result<Tags, ServiceError> {
        let mut tags = Tags::default();
        let note = |tag: Versioned<ImageTag>| {
            if digests.contains(tag.digest.as_str()) {
                tags.0.entry(tag.digest.clone()).or_default().push(tag);
            }
            ControlFlow::Continue(())
        };
        self.each(repository, None, note).await?;
        tags.0.values_mut().for_each(|tags| tags.sort_by_key(|tag| tag.tagged_at));
        Ok(tags)
    }
}

/// How many tags images have, in little space however many there are.
#[derive(Default)]
pub(crate) struct TagCounts(HashMap<u128, usize>);

impl TagCounts {
    pub(crate) fn of(&self, digest: &str) -> usize {
        self.0.get(&short(digest)).copied().unwrap_or(0)
    }
}

/// Half of a SHA-256, which is enough to tell two digests apart.
fn short(digest: &str) -> u128 {
    let hex = digest.split_once(':').map_or(digest, |(_, hex)| hex);
    u128::from_str_radix(hex.get(..32).unwrap_or(hex), 16).unwrap_or_default()
}

/// Tags of images, the oldest of each first.
#[derive(Default)]
pub(crate) struct Tags(HashMap<String, Vec<Versioned<ImageTag>>>);

impl Tags {
    /// The tags of an image.
    pub(crate) fn rows(&self, digest: &str) -> &[Versioned<ImageTag>] {
        self.0.get(digest).map_or(&[], Vec::as_slice)
    }

    /// Their names.
    pub(crate) fn names(&self, digest: &str) -> Vec<String> {
        self.rows(digest).iter().map(|row| row.tag.clone()).collect()
    }

    /// A tag is no more.
    pub(crate) fn forget(&mut self, digest: &str, tag: &str) {
        if let Some(rows) = self.0.get_mut(digest) {
            rows.retain(|row| row.tag != tag);
        }
    }
}

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(name, hex)| {
        !name.is_empty() && !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

pub(crate) fn failure(id: &ImageIdentifier, code: ImageFailureCode, reason: &str) -> wire::ImageFailure {
    wire::ImageFailure {
        image_id: Some(id.clone()),
        failure_code: Some(code),
        failure_reason: Some(reason.to_owned()),
    }
}

/// Whether a filter on tags lets an image through.
pub(crate) fn passes(filter: Option<wire::TagStatus>, tagged: bool) -> bool {
    match filter {
        None | Some(wire::TagStatus::Any) => true,
        Some(wire::TagStatus::Tagged) => tagged,
        Some(wire::TagStatus::Untagged) => !tagged,
    }
}

/// Whether a filter on the storage class lets an image through.
pub(crate) fn is_wanted(filter: Option<wire::ImageStatusFilter>, image: &Image) -> bool {
    match filter {
        None | Some(wire::ImageStatusFilter::Any) => true,
        Some(wire::ImageStatusFilter::Active) => !image.is_archived(),
        Some(wire::ImageStatusFilter::Archived) => image.is_archived(),
        // An image is restored at once.
        Some(wire::ImageStatusFilter::Activating) => false,
    }
}

/// What can be done with an image of a storage class.
pub(crate) fn show_status(class: StorageClass) -> wire::ImageStatus {
    match class {
        StorageClass::Standard => wire::ImageStatus::Active,
        StorageClass::Archive => wire::ImageStatus::Archived,
    }
}

fn no_image(repository: &Repository, id: &ImageIdentifier) -> ServiceError {
    let text = |text: &Option<String>| text.as_deref().unwrap_or("null").to_owned();
    let message = format!(
        "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository with name '{}' \
         in the registry with id '{}'",
        text(&id.image_digest),
        text(&id.image_tag),
        repository.name,
        repository.account
    );
    ServiceError::new(&errors::IMAGE_NOT_FOUND_EXCEPTION, message)
}
