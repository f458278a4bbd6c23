//! InitiateLayerUpload, UploadLayerPart and CompleteLayerUpload: the same uploads as those of the distribution protocol.

use crate::EcrService;
use crate::errors::{images_failed, invalid};
use crate::shapes::{
    CompleteLayerUploadRequest, CompleteLayerUploadResponse, InitiateLayerUploadRequest,
    InitiateLayerUploadResponse, UploadLayerPartRequest, UploadLayerPartResponse, errors,
};
use aws_wire::{Node, RequestContext, ServiceError};
use image_registry::{LAYER_PART_BYTES, LayerUploadError};
use resources::ecr::Repository;

pub(crate) async fn initiate_layer_upload(
    service: &EcrService,
    context: &RequestContext,
    input: InitiateLayerUploadRequest,
) -> Result<InitiateLayerUploadResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let id = service.registry.start_layer_upload(&repository).await.map_err(refused)?;
    let part_size = i64::try_from(LAYER_PART_BYTES).ok();
    Ok(InitiateLayerUploadResponse { upload_id: Some(id.to_string()), part_size })
}

pub(crate) async fn upload_layer_part(
    service: &EcrService,
    context: &RequestContext,
    input: UploadLayerPartRequest,
) -> Result<UploadLayerPartResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let bytes = (input.part_first_byte, input.part_last_byte);
    let part = input.layer_part_blob.into();
    let last = service.registry.append_layer_part(&repository, &input.upload_id, bytes, part).await;
    let last = last.map_err(|error| match error {
        LayerUploadError::NotConsecutive { last_valid, .. } => {
            not_consecutive(&repository, &input.upload_id, last_valid, &error)
        }
        error => refused(error),
    })?;
    Ok(UploadLayerPartResponse {
        registry_id: Some(repository.account.to_string()),
        repository_name: Some(repository.given_name().to_owned()),
        upload_id: Some(input.upload_id),
        last_byte_received: Some(last),
    })
}

pub(crate) async fn complete_layer_upload(
    service: &EcrService,
    context: &RequestContext,
    input: CompleteLayerUploadRequest,
) -> Result<CompleteLayerUploadResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let (id, digests) = (&input.upload_id, &input.layer_digests);
    let digest = service.registry.complete_layer_upload(&repository, id, digests).await.map_err(refused)?;
    Ok(CompleteLayerUploadResponse {
        registry_id: Some(repository.account.to_string()),
        repository_name: Some(repository.given_name().to_owned()),
        upload_id: Some(input.upload_id),
        layer_digest: Some(digest.to_string()),
    })
}

fn not_consecutive(
    repository: &Repository,
    id: &str,
    last_valid: i64,
    error: &LayerUploadError,
) -> ServiceError {
    ServiceError::new(&errors::INVALID_LAYER_PART_EXCEPTION, error.to_string())
        .with_member("registryId", Node::Text(repository.account.to_string()))
        .with_member("repositoryName", Node::Text(repository.given_name().to_owned()))
        .with_member("uploadId", Node::Text(id.to_owned()))
        .with_member("lastValidByteReceived", Node::Integer(last_valid))
}

fn refused(error: LayerUploadError) -> ServiceError {
    let shape = match error {
        LayerUploadError::NotFound { .. } => &errors::UPLOAD_NOT_FOUND_EXCEPTION,
        LayerUploadError::TooMany => &errors::SERVER_EXCEPTION,
        LayerUploadError::InvalidParameter(text) => return invalid(text),
        LayerUploadError::NotConsecutive { .. } => &errors::INVALID_LAYER_PART_EXCEPTION,
        LayerUploadError::InvalidLayer(_) => &errors::INVALID_LAYER_EXCEPTION,
        LayerUploadError::AlreadyExists { .. } => &errors::LAYER_ALREADY_EXISTS_EXCEPTION,
        LayerUploadError::Empty(_) => &errors::EMPTY_UPLOAD_EXCEPTION,
        LayerUploadError::Failed(error) => return images_failed(error),
    };
    ServiceError::new(shape, error.to_string())
}
