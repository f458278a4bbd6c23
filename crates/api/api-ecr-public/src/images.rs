//! Images of a repository, with their tags.

use crate::EcrPublicService;
use crate::errors::{invalid, store};
use crate::shapes::{self as wire, ImageFailureCode, ImageIdentifier, errors};
use aws_wire::ServiceError;
use resources::ecr::{Image, ImageTag, Repository, rows_of};
use std::collections::{BTreeMap, HashMap};
use store::Versioned;

const NOT_FOUND: &str = "Requested image not found";

/// All images of a repository.
pub(crate) struct Images {
    /// By digest.
    pub(crate) images: BTreeMap<String, Versioned<Image>>,
    /// By tag.
    pub(crate) tags: BTreeMap<String, Versioned<ImageTag>>,
    /// Tags by digest.
    names: HashMap<String, Vec<String>>,
}

impl EcrPublicService {
    pub(crate) async fn images(&self, repository: &Repository) -> Result<Images, ServiceError> {
        let prefix = rows_of(&repository.account, &repository.name);
        let images = self.tables.list_all::<Image>(&prefix).await.map_err(store)?;
        let tags = self.tables.list_all::<ImageTag>(&prefix).await.map_err(store)?;
        let mut names: HashMap<String, Vec<String>> = HashMap::new();
        // Tags of an image are shown in the order in which it got them.
        let mut in_order: Vec<&ImageTag> = tags.iter().map(|tag| &*tag.value).collect();
        in_order.sort_by_key(|tag| tag.tagged_at);
        for tag in in_order {
            names.entry(tag.digest.clone()).or_default().push(tag.tag.clone());
        }
        Ok(Images {
            names,
            images: images.into_iter().map(|image| (image.digest.clone(), image)).collect(),
            tags: tags.into_iter().map(|tag| (tag.tag.clone(), tag)).collect(),
        })
    }
}

impl Images {
    /// Tags of an image, the oldest first.
    pub(crate) fn tags_of(&self, digest: &str) -> Vec<String> {
        self.names.get(digest).cloned().unwrap_or_default()
    }

    /// The image that an identifier names.
    pub(crate) fn find(&self, id: &ImageIdentifier) -> Result<&Versioned<Image>, wire::ImageFailure> {
        let tagged = id.image_tag.as_ref().map(|tag| self.tags.get(tag).map(|row| row.digest.as_str()));
        let digest = match (&id.image_digest, tagged) {
            (None, None) => {
                return Err(failure(
                    id,
                    ImageFailureCode::MissingDigestAndTag,
                    "Invalid request parameters: both tag and digest cannot be null",
                ));
            }
            (Some(digest), None) => digest.as_str(),
            (_, Some(None)) => return Err(failure(id, ImageFailureCode::ImageNotFound, NOT_FOUND)),
            (None, Some(Some(digest))) => digest,
            (Some(digest), Some(Some(tagged))) if digest == tagged => tagged,
            (Some(_), Some(Some(_))) => {
                return Err(failure(id, ImageFailureCode::ImageNotFound, NOT_FOUND));
            }
        };
        if !is_digest(digest) {
            return Err(failure(
                id,
                ImageFailureCode::InvalidImageDigest,
                "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
            ));
        }
        self.images.get(digest).ok_or_else(|| failure(id, ImageFailureCode::ImageNotFound, NOT_FOUND))
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

/// The image that an identifier names, or the error that it is not there.
pub(crate) fn find_or_fail<'i>(
    images: &'i Images,
    repository: &Repository,
    id: &ImageIdentifier,
) -> Result<&'i Versioned<Image>, ServiceError> {
    images.find(id).map_err(|failure| match failure.failure_code {
        Some(ImageFailureCode::ImageNotFound) => no_image(repository, id),
        _ => invalid(failure.failure_reason.unwrap_or_default()),
    })
}

fn no_image(repository: &Repository, id: &ImageIdentifier) -> ServiceError {
    let text = |text: &Option<String>| text.as_deref().unwrap_or("null").to_owned();
    let message = format!(
        "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository with name '{}' \
         in the registry with id '{}'",
        text(&id.image_digest),
        text(&id.image_tag),
        repository.given_name(),
        repository.account
    );
    ServiceError::new(&errors::IMAGE_NOT_FOUND_EXCEPTION, message)
}
