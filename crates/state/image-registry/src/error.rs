//! Why an image is not taken.

use blob_store::{BlobError, Digest};
use resources::ecr::Repository;
use store::StoreError;

/// Why an image is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The manifest is not one.
    #[error("{0}")]
    ManifestInvalid(String),
    /// It has another digest than was said.
    #[error("the manifest has digest {found}, not {wanted}")]
    DigestMismatch {
        /// What was said.
        wanted: Digest,
        /// What it is.
        found: Digest,
    },
    /// Blobs that it needs are not in the repository.
    #[error("the manifest needs {}, which is not in this repository", .0.join(", "))]
    BlobsMissing(Vec<String>),
    /// Manifests that it names are not in the repository.
    #[error("the manifest needs {}, which is not in this repository", .0.join(", "))]
    ChildrenMissing(Vec<String>),
    /// The manifest says another size than a blob has.
    #[error("the manifest says that {digest} has {said} bytes, and it has {found}")]
    SizeMismatch {
        /// The blob.
        digest: String,
        /// What the manifest says.
        said: u64,
        /// What is so.
        found: u64,
    },
    /// The role of a creation template may not make the repository.
    #[error("the repository cannot be made: {0}")]
    TemplateRole(String),
    /// The repository was deleted meanwhile.
    #[error("the repository is not there any more")]
    RepositoryGone,
    /// Others changed the same at the same time, again and again.
    #[error("too much changes at the same time; try again")]
    Busy,
    /// The tag stays on another image.
    #[error("the tag '{tag}' is on {digest}, and stays there")]
    TagImmutable {
        /// The tag.
        tag: String,
        /// The image that has it.
        digest: String,
    },
    /// The rows failed.
    #[error("read or write the rows of images")]
    Store(#[from] StoreError),
    /// The blobs failed.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

impl ImageError {
    /// What ECR's PutImage says of a push that a repository refused; `None` where nobody who pushes is to blame.
    pub fn refusal(&self, repository: &Repository) -> Option<String> {
        let (name, account) = (repository.given_name(), &repository.account);
        let missing = |what: &str, digests: &[String]| {
            format!(
                "{what} with digests '[{}]' required for pushing image into repository with name '{name}' in the \
                 registry with id '{account}' do not exist",
                digests.join(", ")
            )
        };
        Some(match self {
            Self::ManifestInvalid(text) => {
                format!("Invalid parameter at 'ImageManifest' failed to satisfy constraint: '{text}'")
            }
            Self::SizeMismatch { .. } => {
                format!("Invalid parameter at 'ImageManifest' failed to satisfy constraint: '{self}'")
            }
            Self::DigestMismatch { wanted, found } => {
                format!("The image digest '{wanted}' does not match the calculated digest '{found}'")
            }
            Self::BlobsMissing(digests) => missing("Layers", digests),
            Self::ChildrenMissing(digests) => missing("Images", digests),
            Self::TagImmutable { tag, .. } => format!(
                "The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten because the \
                 tag is immutable."
            ),
            Self::RepositoryGone => {
                format!(
                    "The repository with name '{name}' does not exist in the registry with id '{account}'"
                )
            }
            // Only who makes a repository meets the first.
            Self::TemplateRole(_) | Self::Busy | Self::Store(_) | Self::Blob(_) => return None,
        })
    }
}
