//! Errors as the distribution specification writes them.

use crate::respond::{Response, json};
use blob_store::BlobError;
use http::{HeaderValue, StatusCode};
use image_registry::ImageError;
use store::StoreError;

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistryError {
    #[error("log in with user AWS and the password of GetAuthorizationToken")]
    Unauthorized,
    /// The same for the public registry, with the address of its tokens.
    #[error("Not Authorized")]
    TokenWanted(String),
    #[error("{0}")]
    Denied(String),
    #[error("The repository with name '{0}' does not exist in the registry")]
    NameUnknown(String),
    #[error("the repository was deleted meanwhile")]
    RepositoryGone,
    #[error("not a repository name: {0}")]
    NameInvalid(String),
    #[error("there is no such resource")]
    NoResource,
    #[error("this method is not supported here")]
    Unsupported,
    #[error("manifest unknown: {0}")]
    ManifestUnknown(String),
    #[error("{0}")]
    ManifestInvalid(String),
    #[error("the manifest needs {0}, which is not in this repository")]
    ManifestBlobUnknown(String),
    #[error("the manifest is larger than {0} bytes")]
    ManifestTooLarge(usize),
    #[error(
        "the image tag '{0}' already exists in the repository and cannot be overwritten because the repository is immutable"
    )]
    TagImmutable(String),
    #[error("not a tag: {0}")]
    TagInvalid(String),
    #[error("{0}")]
    SizeInvalid(String),
    #[error("an image needs the blob; delete the image first")]
    BlobInUse,
    #[error("not a number of entries: {0}")]
    PageInvalid(String),
    #[error("blob unknown: {0}")]
    BlobUnknown(String),
    #[error("{0}")]
    DigestInvalid(String),
    #[error("upload unknown")]
    UploadUnknown,
    #[error("{0}")]
    UploadInvalid(String),
    #[error("the chunk does not begin where the upload ends, at {0}")]
    OutOfOrder(u64),
    #[error("the range lies outside the blob")]
    Range(u64),
    #[error("{0}")]
    TooMany(&'static str),
    #[error("the other registry: {0}")]
    Upstream(String),
    #[error("no space is left on the device")]
    StorageFull,
    #[error("the registry failed")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl RegistryError {
    pub(crate) fn code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthorized | Self::TokenWanted(_) => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
            Self::Denied(_) => (StatusCode::FORBIDDEN, "DENIED"),
            Self::NameUnknown(_) | Self::RepositoryGone => (StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
            Self::NameInvalid(_) => (StatusCode::BAD_REQUEST, "NAME_INVALID"),
            Self::NoResource => (StatusCode::NOT_FOUND, "UNSUPPORTED"),
            Self::Unsupported | Self::BlobInUse => (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
            Self::ManifestUnknown(_) => (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
            Self::ManifestInvalid(_) => (StatusCode::BAD_REQUEST, "MANIFEST_INVALID"),
            Self::ManifestBlobUnknown(_) => (StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN"),
            Self::ManifestTooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "MANIFEST_INVALID"),
            Self::TagImmutable(_) | Self::TagInvalid(_) => (StatusCode::BAD_REQUEST, "TAG_INVALID"),
            Self::SizeInvalid(_) => (StatusCode::BAD_REQUEST, "SIZE_INVALID"),
            Self::PageInvalid(_) => (StatusCode::BAD_REQUEST, "PAGINATION_NUMBER_INVALID"),
            Self::BlobUnknown(_) => (StatusCode::NOT_FOUND, "BLOB_UNKNOWN"),
            Self::DigestInvalid(_) => (StatusCode::BAD_REQUEST, "DIGEST_INVALID"),
            Self::UploadUnknown => (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
            Self::UploadInvalid(_) => (StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID"),
            Self::OutOfOrder(_) => (StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID"),
            Self::Range(_) => (StatusCode::RANGE_NOT_SATISFIABLE, "SIZE_INVALID"),
            Self::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS"),
            Self::Upstream(_) => (StatusCode::BAD_GATEWAY, "UNKNOWN"),
            Self::StorageFull => (StatusCode::INSUFFICIENT_STORAGE, "UNKNOWN"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN"),
        }
    }

    pub(crate) fn to_response(&self) -> Response {
        let (status, code) = self.code();
        let document = serde_json::json!({"errors": [{"code": code, "message": self.to_string()}]});
        let mut response = json(status, &document);
        let headers = response.headers_mut();
        match self {
            Self::Unauthorized => {
                let challenge =
                    HeaderValue::from_static("Basic realm=\"longshore\",service=\"ecr.amazonaws.com\"");
                headers.insert(http::header::WWW_AUTHENTICATE, challenge);
            }
            Self::TokenWanted(realm) => {
                let challenge = format!("Bearer realm=\"{realm}\",service=\"public.ecr.aws\",scope=\"aws\"");
                if let Ok(challenge) = HeaderValue::from_str(&challenge) {
                    headers.insert(http::header::WWW_AUTHENTICATE, challenge);
                }
            }
            Self::Range(size) => {
                if let Ok(range) = HeaderValue::from_str(&format!("bytes */{size}")) {
                    headers.insert(http::header::CONTENT_RANGE, range);
                }
            }
            Self::OutOfOrder(length) => {
                if let Ok(range) = HeaderValue::from_str(&format!("0-{}", length.saturating_sub(1))) {
                    headers.insert(http::header::RANGE, range);
                }
            }
            _ => {}
        }
        response
    }
}

impl From<StoreError> for RegistryError {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.into())
    }
}

impl From<ImageError> for RegistryError {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::ManifestInvalid(text) => Self::ManifestInvalid(text),
            ImageError::DigestMismatch { .. } => Self::DigestInvalid(error.to_string()),
            ImageError::BlobsMissing(digests) | ImageError::ChildrenMissing(digests) => {
                Self::ManifestBlobUnknown(digests.join(", "))
            }
            ImageError::SizeMismatch { .. } => Self::SizeInvalid(error.to_string()),
            ImageError::TagImmutable { tag, .. } => Self::TagImmutable(tag),
            error @ ImageError::TemplateRole(_) => Self::Denied(error.to_string()),
            ImageError::RepositoryGone => Self::RepositoryGone,
            ImageError::Busy => Self::TooMany("too much changes here at the same time; try again"),
            ImageError::Store(error) => error.into(),
            ImageError::Blob(error) => error.into(),
        }
    }
}

impl From<BlobError> for RegistryError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::NotFound(digest) => Self::BlobUnknown(digest.to_string()),
            BlobError::UploadNotFound(_) => Self::UploadUnknown,
            BlobError::OutOfOrder { length, .. } => Self::OutOfOrder(length),
            BlobError::DigestMismatch { .. } => Self::DigestInvalid(error.to_string()),
            BlobError::RangeNotSatisfiable { size, .. } => Self::Range(size),
            BlobError::TooManyUploads(_) => Self::TooMany("too many uploads are open; finish or cancel some"),
            BlobError::StorageFull { .. } => Self::StorageFull,
            BlobError::Interrupted(text) => Self::UploadInvalid(text),
            other => Self::Internal(other.into()),
        }
    }
}
