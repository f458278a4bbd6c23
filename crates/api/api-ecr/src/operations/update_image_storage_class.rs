//! UpdateImageStorageClass: an image goes into the archive or comes back.

use crate::EcrService;
use crate::errors::store;
use crate::images::show_status;
use crate::shapes::{
    TargetStorageClass, UpdateImageStorageClassRequest, UpdateImageStorageClassResponse, errors,
};
use aws_wire::{RequestContext, ServiceError};
use image_registry::moved;
use resources::ecr::StorageClass;
use store::StoreError;

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    input: UpdateImageStorageClassRequest,
) -> Result<UpdateImageStorageClassResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let image = service.find_or_fail(&repository, &input.image_id).await?;
    let class = match input.target_storage_class {
        TargetStorageClass::Standard => StorageClass::Standard,
        TargetStorageClass::Archive => StorageClass::Archive,
    };
    let unsupported =
        |text: String| ServiceError::new(&errors::IMAGE_STORAGE_CLASS_UPDATE_NOT_SUPPORTED_EXCEPTION, text);
    if image.storage_class == class {
        return Err(unsupported(format!(
            "The image is in the storage class {} already.",
            input.target_storage_class.as_str()
        )));
    }
    if class == StorageClass::Archive
        && service.holders(&repository).await?.values().any(|children| children.contains(&image.digest))
    {
        return Err(unsupported(
            "The image is referenced by a manifest list and cannot be archived.".to_owned(),
        ));
    }
    let batch = moved(&service.tables, &image, class, context.time);
    match batch.commit().await {
        Ok(_) => {}
        Err(StoreError::Conflict(_)) => {
            return Err(unsupported("The image was changed at the same time; try again.".to_owned()));
        }
        Err(error) => return Err(store(error)),
    }
    Ok(UpdateImageStorageClassResponse {
        registry_id: Some(repository.account.to_string()),
        repository_name: Some(repository.name.clone()),
        image_id: Some(input.image_id),
        image_status: Some(show_status(class)),
    })
}
