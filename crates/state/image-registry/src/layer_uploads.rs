//! Layers that come in parts, as ECR's API takes them: InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload.

use crate::{ImageError, ImageRegistry};
use blob_store::{BlobError, Digest, UploadId};
use bytes::Bytes;
use futures::stream;
use resources::Stored;
use resources::ecr::Repository;
use std::convert::Infallible;

/// Bytes of a part that clients should send: twenty MiB, as ECR's model allows at most.
pub const LAYER_PART_BYTES: u64 = 20 * 1024 * 1024;

/// Why a part or a layer is not taken, in ECR's words.
#[derive(Debug, thiserror::Error)]
pub enum LayerUploadError {
    /// The repository has no such upload: it never began, was finished, cancelled or has expired.
    #[error(
        "The upload with id '{id}' does not exist in the repository with name '{repository}' in the registry with id \
         '{account}'"
    )]
    NotFound {
        /// What was asked for.
        id: String,
        /// Name of the repository, as its clients know it.
        repository: String,
        /// Account of the registry.
        account: String,
    },
    /// More uploads are open than the registry allows.
    #[error("Too many uploads are open; finish some.")]
    TooMany,
    /// The numbers of a part do not fit its content, or the layer has not exactly one digest.
    #[error("{0}")]
    InvalidParameter(String),
    /// A part does not begin where the last one ended.
    #[error(
        "Layer part upload with first byte '{first}' is not consecutive to the last valid byte '{last_valid}'"
    )]
    NotConsecutive {
        /// Where the part begins.
        first: i64,
        /// The last byte that is there, -1 when there is none.
        last_valid: i64,
    },
    /// The digest is none, or not that of the content.
    #[error("{0}")]
    InvalidLayer(String),
    /// The repository has the layer.
    #[error(
        "Layer with digest '{digest}' already exists in the repository with name '{repository}' in registry with id \
         '{account}'"
    )]
    AlreadyExists {
        /// The layer.
        digest: Digest,
        /// Name of the repository, as its clients know it.
        repository: String,
        /// Account of the registry.
        account: String,
    },
    /// Nothing was uploaded.
    #[error("The upload with id '{0}' has no parts")]
    Empty(UploadId),
    /// The rows or the blobs failed.
    #[error(transparent)]
    Failed(ImageError),
}

impl ImageRegistry {
    /// Begins an upload that belongs to a repository.
    pub async fn start_layer_upload(&self, repository: &Repository) -> Result<UploadId, LayerUploadError> {
        self.blobs.start_upload(&repository.key()).await.map_err(|error| match error {
            BlobError::TooManyUploads(_) => LayerUploadError::TooMany,
            error => LayerUploadError::Failed(error.into()),
        })
    }

    /// Adds the bytes from `first` to `last`, both counted from zero and included. Returns the last byte that is there.
    pub async fn append_layer_part(
        &self,
        repository: &Repository,
        id: &str,
        (first, last): (i64, i64),
        part: Bytes,
    ) -> Result<i64, LayerUploadError> {
        let id = upload(repository, id)?;
        let length = i64::try_from(part.len()).unwrap_or(i64::MAX);
        if last.checked_sub(first).and_then(|span| span.checked_add(1)) != Some(length) {
            return Err(LayerUploadError::InvalidParameter(format!(
                "The part has {length} bytes, which is not from partFirstByte {first} to partLastByte {last}"
            )));
        }
        let at = u64::try_from(first).unwrap_or_default();
        let content = stream::iter([Ok::<_, Infallible>(part)]);
        let length = self.blobs.append(&id, Some(at), content).await.map_err(|error| match error {
            BlobError::OutOfOrder { length, .. } => {
                LayerUploadError::NotConsecutive { first, last_valid: last_byte(length) }
            }
            error => failed(repository, &id, error),
        })?;
        Ok(last_byte(length).max(0))
    }

    /// Makes a layer of an upload whose content has the one digest of `digests`.
    pub async fn complete_layer_upload(
        &self,
        repository: &Repository,
        id: &str,
        digests: &[String],
    ) -> Result<Digest, LayerUploadError> {
        let id = upload(repository, id)?;
        let [text] = digests else {
            let text = "layerDigests must have exactly one digest".to_owned();
            return Err(LayerUploadError::InvalidParameter(text));
        };
        let digest: Digest =
            text.parse().map_err(|_| LayerUploadError::InvalidLayer(format!("not a digest: {text}")))?;
        let Repository { account, name, .. } = repository;
        if self.link(account, name, &digest).await.map_err(LayerUploadError::Failed)?.is_some() {
            // What was uploaded again is not needed; if it stays behind, it is cleared away later.
            let _ = self.blobs.cancel_upload(&id).await;
            let (account, repository) = (account.to_string(), repository.given_name().to_owned());
            return Err(LayerUploadError::AlreadyExists { digest, repository, account });
        }
        let length = self.blobs.upload_length(&id).await.map_err(|error| failed(repository, &id, error))?;
        if length == 0 {
            return Err(LayerUploadError::Empty(id));
        }
        let checked = self.blobs.check_upload(&id, &digest).await;
        let checked = checked.map_err(|error| failed(repository, &id, error))?;
        self.keep_upload(account, name, &digest, checked).await.map_err(LayerUploadError::Failed)?;
        Ok(digest)
    }
}

fn last_byte(length: u64) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX).saturating_sub(1)
}

fn upload(repository: &Repository, id: &str) -> Result<UploadId, LayerUploadError> {
    let parsed = id.parse::<UploadId>().ok().filter(|parsed| parsed.is_of(&repository.key()));
    parsed.ok_or_else(|| not_found(repository, id))
}

fn not_found(repository: &Repository, id: &str) -> LayerUploadError {
    LayerUploadError::NotFound {
        id: id.to_owned(),
        repository: repository.given_name().to_owned(),
        account: repository.account.to_string(),
    }
}

fn failed(repository: &Repository, id: &UploadId, error: BlobError) -> LayerUploadError {
    match error {
        BlobError::UploadNotFound(_) => not_found(repository, &id.to_string()),
        BlobError::DigestMismatch { .. } => LayerUploadError::InvalidLayer(error.to_string()),
        error => LayerUploadError::Failed(error.into()),
    }
}
