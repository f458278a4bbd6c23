//! PutImage.

use crate::EcrService;
use crate::errors::{images_failed, invalid, invalid_at};
use crate::shapes::{Image, ImageIdentifier, PutImageRequest, PutImageResponse, errors};
use aws_wire::{RequestContext, ServiceError};
use image_registry::{Document, ImageError, PushImage, is_tag, says_its_type};
use resources::ecr::Repository;

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    input: PutImageRequest,
) -> Result<PutImageResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let media_type = input.image_manifest_media_type.as_deref();
    if media_type.is_none() && !says_its_type(&input.image_manifest) {
        return Err(invalid("image manifest mediatype not provided in manifest or parameter"));
    }
    let digest = input.image_digest.as_deref().map(str::parse).transpose();
    let digest = digest.map_err(|_| invalid_at("imageDigest", "Invalid digest"))?;
    let tag = input.image_tag.as_deref();
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return Err(invalid_at(
            "imageTag",
            "must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'",
        ));
    }
    let push = PushImage {
        manifest: input.image_manifest,
        media_type,
        digest,
        tag,
        complete: true,
        replicate: true,
    };
    let pushed = match service.registry.push(&repository, push.clone()).await {
        Err(error) if service.takes_incomplete_images && names_only_missing(&error, &push) => {
            service.registry.push(&repository, PushImage { complete: false, ..push }).await
        }
        pushed => pushed,
    };
    let pushed = pushed.map_err(|error| refused(&repository, error))?;
    if !pushed.changed {
        let text = format!(
            "Image with digest '{}' and tag '{}' already exists in the repository with name '{}' in registry with id '{}'",
            pushed.image.digest,
            tag.unwrap_or("null"),
            repository.name,
            repository.account
        );
        return Err(ServiceError::new(&errors::IMAGE_ALREADY_EXISTS_EXCEPTION, text));
    }
    Ok(PutImageResponse { image: Some(shown(pushed.image, input.image_tag)) })
}

/// Whether nothing that a manifest names is there: then it was made up, as tests for mocks do, and not pushed badly.
fn names_only_missing(error: &ImageError, push: &PushImage<'_>) -> bool {
    let Ok(document) = Document::read(&push.manifest, push.media_type) else { return false };
    match error {
        ImageError::BlobsMissing(missing) => {
            document.required_blobs.iter().all(|blob| missing.contains(&blob.digest))
        }
        ImageError::ChildrenMissing(missing) => document.children.iter().all(|child| missing.contains(child)),
        _ => false,
    }
}

/// An image with its manifest.
pub(crate) fn shown(image: resources::ecr::Image, tag: Option<String>) -> Image {
    Image {
        registry_id: Some(image.account.to_string()),
        repository_name: Some(image.repository),
        image_id: Some(ImageIdentifier { image_digest: Some(image.digest), image_tag: tag }),
        image_manifest: Some(image.manifest),
        image_manifest_media_type: Some(image.media_type),
    }
}

fn refused(repository: &Repository, error: ImageError) -> ServiceError {
    let Some(text) = error.refusal(repository) else { return images_failed(error) };
    let shape = match error {
        ImageError::DigestMismatch { .. } => &errors::IMAGE_DIGEST_DOES_NOT_MATCH_EXCEPTION,
        ImageError::BlobsMissing(_) => &errors::LAYERS_NOT_FOUND_EXCEPTION,
        ImageError::ChildrenMissing(_) => &errors::REFERENCED_IMAGES_NOT_FOUND_EXCEPTION,
        ImageError::TagImmutable { .. } => &errors::IMAGE_TAG_ALREADY_EXISTS_EXCEPTION,
        ImageError::RepositoryGone => &errors::REPOSITORY_NOT_FOUND_EXCEPTION,
        _ => &errors::INVALID_PARAMETER_EXCEPTION,
    };
    ServiceError::new(shape, text)
}
