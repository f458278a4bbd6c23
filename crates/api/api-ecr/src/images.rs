//! Images of a repository, with their tags.

use crate::EcrService;
use crate::errors::store;
use crate::shapes::{self as wire, ImageFailureCode, ImageIdentifier};
use aws_wire::ServiceError;
use resources::ecr::{Image, ImageTag, Repository, rows_of};
use std::collections::BTreeMap;
use store::Versioned;

/// All images of a repository.
pub(crate) struct Images {
    /// By digest.
    pub(crate) images: BTreeMap<String, Versioned<Image>>,
    /// By tag.
    pub(crate) tags: BTreeMap<String, Versioned<ImageTag>>,
}

impl EcrService {
    pub(crate) async fn images(&self, repository: &Repository) -> Result<Images, ServiceError> {
        let prefix = rows_of(&repository.account, &repository.name);
        let images = self.tables.list_all::<Image>(&prefix).await.map_err(store)?;
        let tags = self.tables.list_all::<ImageTag>(&prefix).await.map_err(store)?;
        Ok(Images {
            images: images.into_iter().map(|image| (image.digest.clone(), image)).collect(),
            tags: tags.into_iter().map(|tag| (tag.tag.clone(), tag)).collect(),
        })
    }
}

impl Images {
    /// Tags of an image, in order.
    pub(crate) fn tags_of(&self, digest: &str) -> Vec<String> {
        self.tags.values().filter(|tag| tag.digest == digest).map(|tag| tag.tag.clone()).collect()
    }

    /// The image that an identifier names.
    pub(crate) fn find(&self, id: &ImageIdentifier) -> Result<&Versioned<Image>, wire::ImageFailure> {
        let tagged = id.image_tag.as_ref().map(|tag| self.tags.get(tag).map(|row| row.digest.as_str()));
        let not_found = "Requested image not found";
        let digest = match (&id.image_digest, tagged) {
            (None, None) => {
                return Err(failure(
                    id,
                    ImageFailureCode::MissingDigestAndTag,
                    "Invalid request parameters: both tag and digest cannot be null",
                ));
            }
            (Some(digest), None) => digest.as_str(),
            (_, Some(None)) => return Err(failure(id, ImageFailureCode::ImageNotFound, not_found)),
            (None, Some(Some(digest))) => digest,
            (Some(digest), Some(Some(tagged))) if digest == tagged => tagged,
            (Some(_), Some(Some(_))) => {
                return Err(failure(
                    id,
                    ImageFailureCode::ImageTagDoesNotMatchDigest,
                    "The tag is not on the image with that digest",
                ));
            }
        };
        if !is_digest(digest) {
            return Err(failure(
                id,
                ImageFailureCode::InvalidImageDigest,
                "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
            ));
        }
        self.images.get(digest).ok_or_else(|| failure(id, ImageFailureCode::ImageNotFound, not_found))
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
