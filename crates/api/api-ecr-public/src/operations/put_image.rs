//! PutImage.

use crate::EcrPublicService;
use crate::errors::{images_failed, invalid, invalid_at, no_repository};
use crate::shapes::{Image, ImageIdentifier, PutImageRequest, PutImageResponse, errors};
use aws_wire::{RequestContext, ServiceError};
use image_registry::{ImageError, PushImage};
use resources::ecr::{Repository, given_name};
use serde_json::Value;

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

fn says_its_type(manifest: &str) -> bool {
    let document: Value = serde_json::from_str(manifest).unwrap_or_default();
    document["mediaType"].is_string()
}

/// Up to 128 letters, digits, `_`, `.` and `-`, not beginning with the last two.
fn is_tag(tag: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=128).contains(&tag.len())
        && tag.bytes().next().is_some_and(plain)
        && tag.bytes().all(|b| plain(b) || b == b'.' || b == b'-')
}

fn refused(repository: &Repository, error: ImageError) -> ServiceError {
    let (name, account) = (repository.given_name(), &repository.account);
    let missing = |what: &str, digests: &[String]| {
        format!(
            "{what} with digests '[{}]' required for pushing image into repository with name '{name}' in the registry \
             with id '{account}' do not exist",
            digests.join(", ")
        )
    };
    match error {
        ImageError::ManifestInvalid(text) => {
            invalid(format!("Invalid parameter at 'ImageManifest' failed to satisfy constraint: '{text}'"))
        }
        ImageError::DigestMismatch { wanted, found } => {
            let text = format!("The image digest '{wanted}' does not match the calculated digest '{found}'");
            ServiceError::new(&errors::IMAGE_DIGEST_DOES_NOT_MATCH_EXCEPTION, text)
        }
        ImageError::BlobsMissing(digests) => {
            ServiceError::new(&errors::LAYERS_NOT_FOUND_EXCEPTION, missing("Layers", &digests))
        }
        ImageError::ChildrenMissing(digests) => {
            ServiceError::new(&errors::REFERENCED_IMAGES_NOT_FOUND_EXCEPTION, missing("Images", &digests))
        }
        ImageError::TagImmutable { tag, .. } => {
            let text = format!(
                "The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten because the \
                 tag is immutable."
            );
            ServiceError::new(&errors::IMAGE_TAG_ALREADY_EXISTS_EXCEPTION, text)
        }
        error @ ImageError::SizeMismatch { .. } => invalid_at("ImageManifest", &error.to_string()),
        ImageError::RepositoryGone => no_repository(account, name),
        // Only who makes a repository meets it.
        error @ (ImageError::TemplateRole(_)
        | ImageError::Busy
        | ImageError::Store(_)
        | ImageError::Blob(_)) => images_failed(error),
    }
}
