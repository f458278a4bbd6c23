//! BatchDeleteImage: a tag is taken off, a digest goes with all its tags.

use crate::EcrService;
use crate::errors::images_failed;
use crate::images::{Tags, failure};
use crate::shapes::{
    BatchDeleteImageRequest, BatchDeleteImageResponse, ImageFailure, ImageFailureCode, ImageIdentifier,
};
use aws_wire::{RequestContext, ServiceError};
use image_registry::Deleted;
use resources::ecr::Repository;
use std::collections::{HashMap, HashSet};

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    input: BatchDeleteImageRequest,
) -> Result<BatchDeleteImageResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    let mut left = Left::read(service, &repository, &input.image_ids).await?;
    for id in &input.image_ids {
        // Each is seen after those before it: deleting the last tag of an image deletes the image.
        match delete(service, &repository, &mut left, id).await? {
            Ok(ids) => deleted.extend(ids),
            Err(failed) => failures.push(failed),
        }
    }
    Ok(BatchDeleteImageResponse { image_ids: Some(deleted), failures: Some(failures) })
}

/// What of the images that are to be deleted is left.
struct Left {
    tags: Tags,
    /// The manifests of each index of the repository.
    holders: HashMap<String, Vec<String>>,
}

impl Left {
    async fn read(
        service: &EcrService,
        repository: &Repository,
        ids: &[ImageIdentifier],
    ) -> Result<Self, ServiceError> {
        let mut digests = HashSet::new();
        for id in ids {
            if let Ok(image) = service.find_image(repository, id).await? {
                digests.insert(image.digest.clone());
            }
        }
        let tags = service.tags_of(repository, digests.iter().map(String::as_str).collect()).await?;
        Ok(Self { tags, holders: service.holders(repository).await? })
    }
}

async fn delete(
    service: &EcrService,
    repository: &Repository,
    left: &mut Left,
    id: &ImageIdentifier,
) -> Result<Result<Vec<ImageIdentifier>, ImageFailure>, ServiceError> {
    let image = match service.find_image(repository, id).await? {
        Ok(image) => image,
        Err(failed) => return Ok(Err(failed)),
    };
    let all = left.tags.rows(&image.digest);
    let rows: Vec<_> = match &id.image_tag {
        Some(tag) if all.len() > 1 => all.iter().filter(|row| row.tag == *tag).cloned().collect(),
        _ => all.to_vec(),
    };
    let whole = rows.len() == all.len();
    if whole && left.holders.values().any(|children| children.contains(&image.digest)) {
        let text = "Requested image referenced by manifest list";
        return Ok(Err(failure(id, ImageFailureCode::ImageReferencedByManifestList, text)));
    }
    let deleted = service.registry.delete(repository, &image, &rows, whole).await.map_err(images_failed)?;
    if deleted == Deleted::Changed {
        let text = "The image was changed at the same time";
        return Ok(Err(failure(id, ImageFailureCode::ImageNotFound, text)));
    }
    for row in &rows {
        left.tags.forget(&image.digest, &row.tag);
    }
    if whole {
        left.holders.remove(&image.digest);
    }
    let named = |tag| ImageIdentifier { image_digest: Some(image.digest.clone()), image_tag: tag };
    if rows.is_empty() {
        return Ok(Ok(vec![named(None)]));
    }
    Ok(Ok(rows.iter().map(|row| named(Some(row.tag.clone()))).collect()))
}
