//! InitiateLayerUpload, UploadLayerPart and CompleteLayerUpload: the same uploads as those of the distribution protocol.

use crate::EcrPublicService;
use crate::errors::{images_failed, invalid};
use crate::shapes::{
    CompleteLayerUploadRequest, CompleteLayerUploadResponse, InitiateLayerUploadRequest,
    InitiateLayerUploadResponse, UploadLayerPartRequest, UploadLayerPartResponse, errors,
};
use aws_wire::{Node, RequestContext, ServiceError};
use blob_store::{BlobError, Digest, UploadId};
use futures::stream;
use resources::Stored;
use resources::ecr::Repository;
use std::convert::Infallible;

/// Bytes of a part that clients should send: twenty MiB, as the model allows at most.
const PART: i64 = 20 * 1024 * 1024;

pub(crate) async fn initiate_layer_upload(
    service: &EcrPublicService,
    context: &RequestContext,
    input: InitiateLayerUploadRequest,
) -> Result<InitiateLayerUploadResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let started = service.registry.blobs().start_upload(&repository.key()).await;
    let id = started.map_err(|error| match error {
        BlobError::TooManyUploads(_) => {
            ServiceError::new(&errors::SERVER_EXCEPTION, "Too many uploads are open; finish some.")
        }
        error => images_failed(error),
    })?;
    Ok(InitiateLayerUploadResponse { upload_id: Some(id.to_string()), part_size: Some(PART) })
}

pub(crate) async fn upload_layer_part(
    service: &EcrPublicService,
    context: &RequestContext,
    input: UploadLayerPartRequest,
) -> Result<UploadLayerPartResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let id = upload(&repository, &input.upload_id)?;
    let (first, last) = (input.part_first_byte, input.part_last_byte);
    let length = i64::try_from(input.layer_part_blob.len()).unwrap_or(i64::MAX);
    if last.checked_sub(first).and_then(|span| span.checked_add(1)) != Some(length) {
        return Err(invalid(format!(
            "The part has {length} bytes, which is not from partFirstByte {first} to partLastByte {last}"
        )));
    }
    let at = u64::try_from(first).unwrap_or_default();
    let content = stream::iter([Ok::<_, Infallible>(input.layer_part_blob.into())]);
    let appended = service.registry.blobs().append(&id, Some(at), content).await;
    let length = appended.map_err(|error| match error {
        BlobError::OutOfOrder { length, .. } => {
            let valid = i64::try_from(length).unwrap_or(i64::MAX).saturating_sub(1);
            let text = format!(
                "Layer part upload with first byte '{first}' is not consecutive to the last valid byte '{valid}'"
            );
            ServiceError::new(&errors::INVALID_LAYER_PART_EXCEPTION, text)
                .with_member("registryId", Node::Text(repository.account.to_string()))
                .with_member("repositoryName", Node::Text(repository.given_name().to_owned()))
                .with_member("uploadId", Node::Text(id.to_string()))
                .with_member("lastValidByteReceived", Node::Integer(valid))
        }
        error => failed(&repository, &id, error),
    })?;
    Ok(UploadLayerPartResponse {
        registry_id: Some(repository.account.to_string()),
        repository_name: Some(repository.given_name().to_owned()),
        upload_id: Some(input.upload_id),
        last_byte_received: Some(i64::try_from(length).unwrap_or(i64::MAX).saturating_sub(1).max(0)),
    })
}

pub(crate) async fn complete_layer_upload(
    service: &EcrPublicService,
    context: &RequestContext,
    input: CompleteLayerUploadRequest,
) -> Result<CompleteLayerUploadResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let id = upload(&repository, &input.upload_id)?;
    let [text] = input.layer_digests.as_slice() else {
        return Err(invalid("layerDigests must have exactly one digest"));
    };
    let digest: Digest = text.parse().map_err(|_| bad_layer(format!("not a digest: {text}")))?;
    let blobs = service.registry.blobs();
    let there = service.registry.link(&repository.account, &repository.name, &digest).await;
    if there.map_err(images_failed)?.is_some() {
        let text = format!(
            "Layer with digest '{digest}' already exists in the repository with name '{}' in registry with id '{}'",
            repository.given_name(),
            repository.account
        );
        // What was uploaded again is not needed; if it stays behind, it is cleared away later.
        let _ = blobs.cancel_upload(&id).await;
        return Err(ServiceError::new(&errors::LAYER_ALREADY_EXISTS_EXCEPTION, text));
    }
    let length = blobs.upload_length(&id).await.map_err(|error| failed(&repository, &id, error))?;
    if length == 0 {
        let text = format!("The upload with id '{id}' has no parts");
        return Err(ServiceError::new(&errors::EMPTY_UPLOAD_EXCEPTION, text));
    }
    let checked = blobs.check_upload(&id, &digest).await;
    let checked = checked.map_err(|error| failed(&repository, &id, error))?;
    let Repository { account, name, .. } = &*repository.value;
    service.registry.keep_upload(account, name, &digest, checked).await.map_err(images_failed)?;
    Ok(CompleteLayerUploadResponse {
        registry_id: Some(repository.account.to_string()),
        repository_name: Some(repository.given_name().to_owned()),
        upload_id: Some(input.upload_id),
        layer_digest: Some(digest.to_string()),
    })
}

fn upload(repository: &Repository, id: &str) -> Result<UploadId, ServiceError> {
    let parsed = id.parse::<UploadId>().ok().filter(|parsed| parsed.is_of(&repository.key()));
    parsed.ok_or_else(|| no_upload(repository, id))
}

fn no_upload(repository: &Repository, id: &str) -> ServiceError {
    let text = format!(
        "The upload with id '{id}' does not exist in the repository with name '{}' in the registry with id '{}'",
        repository.given_name(),
        repository.account
    );
    ServiceError::new(&errors::UPLOAD_NOT_FOUND_EXCEPTION, text)
}

fn bad_layer(text: String) -> ServiceError {
    ServiceError::new(&errors::INVALID_LAYER_EXCEPTION, text)
}

fn failed(repository: &Repository, id: &UploadId, error: BlobError) -> ServiceError {
    match error {
        BlobError::UploadNotFound(_) => no_upload(repository, &id.to_string()),
        BlobError::DigestMismatch { .. } => bad_layer(error.to_string()),
        error => images_failed(error),
    }
}
