//! BatchGetImage: manifests by tag or digest.

use crate::EcrService;
use crate::images::failure;
use crate::shapes::{BatchGetImageRequest, BatchGetImageResponse, Image, ImageFailureCode, ImageIdentifier};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    input: BatchGetImageRequest,
) -> Result<BatchGetImageResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let accepted = input.accepted_media_types.unwrap_or_default();
    let all = service.images(&repository).await?;
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for id in &input.image_ids {
        match all.find(id) {
            Ok(image) if accepted.is_empty() || accepted.contains(&image.media_type) => images.push(Image {
                registry_id: Some(image.account.to_string()),
                repository_name: Some(image.repository.clone()),
                image_id: Some(ImageIdentifier {
                    image_digest: Some(image.digest.clone()),
                    image_tag: id.image_tag.clone(),
                }),
                image_manifest: Some(image.manifest.clone()),
                image_manifest_media_type: Some(image.media_type.clone()),
            }),
            // Manifests are not converted from one type to another.
            Ok(_) => failures.push(failure(
                id,
                ImageFailureCode::ImageNotFound,
                "The image has none of the accepted media types",
            )),
            Err(failed) => failures.push(failed),
        }
    }
    Ok(BatchGetImageResponse { images: Some(images), failures: Some(failures) })
}
