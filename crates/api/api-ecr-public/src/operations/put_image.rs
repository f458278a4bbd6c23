//! PutImage.

use crate::EcrPublicService;
use crate::errors::{images_failed, invalid, invalid_at};
use crate::shapes::{Image, ImageIdentifier, PutImageRequest, PutImageResponse, errors};
use aws_wire::{RequestContext, ServiceError};
use image_registry::{ImageError, PushImage, is_tag, says_its_type};
use resources::ecr::{Repository, given_name};

pub(crate) async fn run(
    service: &EcrPublicService,
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
        replicate: false,
    };
    let pushed = service.registry.push(&repository, push).await;
    let pushed = pushed.map_err(|error| refused(&repository, error))?;
    if !pushed.changed {
        let text = format!(
            "Image with digest '{}' and tag '{}' already exists in the repository with name '{}' in registry with id '{}'",
            pushed.image.digest,
            tag.unwrap_or("null"),
            repository.given_name(),
            repository.account
        );
        return Err(ServiceError::new(&errors::IMAGE_ALREADY_EXISTS_EXCEPTION, text));
    }
    Ok(PutImageResponse { image: Some(shown(pushed.image, input.image_tag)) })
}

/// An image with its manifest.
fn shown(image: resources::ecr::Image, tag: Option<String>) -> Image {
    Image {
        registry_id: Some(image.account.to_string()),
        repository_name: Some(given_name(&image.repository).to_owned()),
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
