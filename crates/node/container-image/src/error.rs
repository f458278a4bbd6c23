//! What goes wrong with images. [`PullError`]'s text is what ECS shows after `CannotPullContainerError: `.

use crate::platform::Platform;
use registry_client::{Digest, ReferenceError, RegistryError};
use std::io;
use std::path::{Path, PathBuf};

/// A pull that ended without an image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullError {
    /// The text is not an image reference.
    #[error("failed to parse reference {reference:?}: {cause}")]
    Reference {
        /// The text given.
        reference: String,
        /// What is wrong with it.
        cause: ReferenceError,
    },
    /// The registry did not hand out a manifest: not there, not allowed, or not reachable.
    #[error(
        "pull image manifest has been retried {attempts} time(s): failed to resolve ref {reference}: {cause}"
    )]
    Resolve {
        /// The whole reference.
        reference: String,
        /// How often it was tried.
        attempts: u32,
        /// The last failure.
        cause: RegistryError,
    },
    /// The registry handed out something that is no image for this platform.
    #[error("image Manifest does not contain descriptor matching platform '{platform}'")]
    NoPlatform {
        /// The platform asked for.
        platform: Platform,
    },
    /// A manifest or configuration that cannot be used.
    #[error("failed to resolve ref {reference}: {reason}")]
    Unusable {
        /// The whole reference.
        reference: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A blob could not be fetched.
    #[error("ref pull has been retried {attempts} time(s): failed to copy {digest}: {cause}")]
    Fetch {
        /// The blob.
        digest: Digest,
        /// How often it was tried.
        attempts: u32,
        /// The last failure.
        cause: RegistryError,
    },
    /// A layer could not be verified or unpacked.
    #[error("ref pull has been retried {attempts} time(s): failed to extract layer {digest}: {cause}")]
    Extract {
        /// The layer blob.
        digest: Digest,
        /// How often it was tried.
        attempts: u32,
        /// The last failure.
        cause: LayerError,
    },
    /// The image directory itself failed.
    #[error("{0}")]
    Images(#[from] ImagesError),
}

impl PullError {
    /// Whether the same pull may work later without anybody changing the image.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Resolve { cause, .. } | Self::Fetch { cause, .. } => cause.is_transient(),
            Self::Extract { cause, .. } => matches!(cause, LayerError::DiskFull | LayerError::Fetch(_)),
            Self::Images(_) => true,
            Self::Reference { .. } | Self::NoPlatform { .. } | Self::Unusable { .. } => false,
        }
    }
}

/// A layer that could not be unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayerError {
    /// The bytes stopped coming; a transient fault.
    #[error("{0}")]
    Fetch(RegistryError),
    /// The bytes are not those that the manifest promises.
    #[error(
        "failed commit on ref \"layer-{expected}\": unexpected commit digest {actual}, expected {expected}: failed precondition"
    )]
    Digest {
        /// What the manifest says.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// More or fewer bytes than the manifest promises.
    #[error("unexpected commit size {actual}, expected {expected}: failed precondition")]
    Size {
        /// What the manifest says.
        expected: u64,
        /// What came.
        actual: u64,
    },
    /// The unpacked tar is not the one the configuration promises.
    #[error("wrong diff id calculated on extraction {actual}, expected {expected}")]
    DiffId {
        /// What the configuration says.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// The archive is damaged.
    #[error("invalid tar or compression: {0}")]
    Damaged(String),
    /// An entry that is refused, for it would leave the root or cannot exist there.
    #[error("{path:?}: {reason}")]
    Entry {
        /// Path of the entry as the archive names it.
        path: PathBuf,
        /// Why it is refused.
        reason: String,
    },
    /// Unpacking exceeds the bytes that an image may have.
    #[error("image is larger than the {limit} bytes allowed when unpacked")]
    TooLarge {
        /// The bound.
        limit: u64,
    },
    /// Unpacking exceeds the entries that an image may have.
    #[error("image has more than the {limit} files allowed")]
    TooManyEntries {
        /// The bound.
        limit: u64,
    },
    /// The disk is full; what was unpacked of the layer is removed.
    #[error("no space left on device")]
    DiskFull,
    /// The file system refused.
    #[error("{step} {path:?}: {source}")]
    Io {
        /// What was attempted.
        step: &'static str,
        /// On which path.
        path: PathBuf,
        /// The answer.
        source: io::Error,
    },
}

impl LayerError {
    /// An answer of the file system; a full disk or quota is recognized as such.
    pub(crate) fn io(step: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Io { step, path: path.to_owned(), source },
        }
    }
}

/// The image directory could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{step} {}: {source}", path.display())]
pub struct ImagesError {
    pub(crate) step: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) source: io::Error,
}

impl ImagesError {
    pub(crate) fn new(step: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self { step, path: path.into(), source }
    }
}
