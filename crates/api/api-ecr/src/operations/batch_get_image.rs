//! BatchGetImage: manifests by tag or digest. This is what a pull begins with.

use crate::EcrService;
use crate::images::failure;
use crate::operations::put_image::shown;
use crate::shapes::{BatchGetImageRequest, BatchGetImageResponse, ImageFailureCode};
use access::Caller;
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    input: BatchGetImageRequest,
) -> Result<BatchGetImageResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let accepted = input.accepted_media_types.unwrap_or_default();
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for id in &input.image_ids {
        let image = match service.find_image(&repository, id).await? {
            Ok(image) => image,
            Err(failed) => {
                failures.push(failed);
                continue;
            }
        };
        if image.is_archived() {
            let text = "The image is archived and must be restored before it can be pulled";
            failures.push(failure(id, ImageFailureCode::ImageInaccessible, text));
        } else if !accepted.is_empty() && !accepted.contains(&image.media_type) {
            // Manifests are not converted from one type to another.
            let text = "The image has none of the accepted media types";
            failures.push(failure(id, ImageFailureCode::ImageNotFound, text));
        } else {
            if let Some(caller) = context.extensions.get::<Caller>() {
                service.registry.pulls().record(&image.value, caller.identity_arn());
            }
            images.push(shown((*image.value).clone(), id.image_tag.clone()));
        }
    }
    Ok(BatchGetImageResponse { images: Some(images), failures: Some(failures) })
}
