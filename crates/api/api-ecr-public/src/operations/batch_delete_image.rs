//! BatchDeleteImage: a tag is taken off, a digest goes with all its tags.

use crate::EcrPublicService;
use crate::errors::images_failed;
use crate::images::{Images, failure};
use crate::shapes::{
    BatchDeleteImageRequest, BatchDeleteImageResponse, ImageFailure, ImageFailureCode, ImageIdentifier,
};
use aws_wire::{RequestContext, ServiceError};
use image_registry::Deleted;
use resources::ecr::Repository;

pub(crate) async fn run(
    service: &EcrPublicService,
    context: &RequestContext,
    input: BatchDeleteImageRequest,
) -> Result<BatchDeleteImageResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for id in &input.image_ids {
        // Each is seen after those before it: deleting the last tag of an image deletes the image.
        let images = service.images(&repository).await?;
        match delete(service, &repository, &images, id).await? {
            Ok(ids) => deleted.extend(ids),
            Err(failed) => failures.push(failed),
        }
    }
    Ok(BatchDeleteImageResponse { image_ids: Some(deleted), failures: Some(failures) })
}

async fn delete(
    service: &EcrPublicService,
    repository: &Repository,
    images: &Images,
    id: &ImageIdentifier,
) -> Result<Result<Vec<ImageIdentifier>, ImageFailure>, ServiceError> {
    let image = match images.find(id) {
        Ok(image) => image,
        Err(failed) => return Ok(Err(failed)),
    };
    let tags = images.tags_of(&image.digest);
    let untag: Vec<String> = match &id.image_tag {
        Some(tag) if tags.len() > 1 => vec![tag.clone()],
        _ => tags.clone(),
    };
    let whole = untag.len() == tags.len();
    let held = images.images.values().any(|other| other.children.contains(&image.digest));
    if whole && held {
        let text = "Requested image referenced by manifest list";
        return Ok(Err(failure(id, ImageFailureCode::ImageReferencedByManifestList, text)));
    }
    let rows: Vec<_> = untag.iter().filter_map(|tag| images.tags.get(tag).cloned()).collect();
    let deleted = service.registry.delete(repository, image, &rows, whole).await.map_err(images_failed)?;
    if deleted == Deleted::Changed {
        let text = "The image was changed at the same time";
        return Ok(Err(failure(id, ImageFailureCode::ImageNotFound, text)));
    }
    let named = |tag| ImageIdentifier { image_digest: Some(image.digest.clone()), image_tag: tag };
    if untag.is_empty() {
        return Ok(Ok(vec![named(None)]));
    }
    Ok(Ok(untag.into_iter().map(|tag| named(Some(tag))).collect()))
}
