//! What can go wrong with blobs.

use crate::Digest;
use std::io;
use std::path::PathBuf;

/// A failed operation of the blob store.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no such blob.
    #[error("there is no blob {0}")]
    NotFound(Digest),
    /// There is no such upload: it never began, was finished, cancelled or has expired.
    #[error("there is no upload {0}")]
    UploadNotFound(String),
    /// A chunk does not begin where the upload ends.
    #[error("the upload has {length} bytes, the chunk begins at {at}")]
    OutOfOrder {
        /// Bytes received so far.
        length: u64,
        /// Where the chunk begins.
        at: u64,
    },
    /// The content has another digest than was said.
    #[error("the content has digest {found}, not {expected}")]
    DigestMismatch {
        /// What the client said.
        expected: Digest,
        /// What the bytes say.
        found: Digest,
    },
    /// A range outside the blob.
    #[error("bytes {start} and on lie outside a blob of {size} bytes")]
    RangeNotSatisfiable {
        /// First byte asked for.
        start: u64,
        /// Size of the blob.
        size: u64,
    },
    /// More uploads are open than allowed.
    #[error("{0} uploads are open already")]
    TooManyUploads(usize),
    /// The file system is full or the quota is used up.
    #[error("no space is left for {}", path.display())]
    StorageFull {
        /// What was being written.
        path: PathBuf,
    },
    /// The stream of the content broke off; what arrived before is kept.
    #[error("the content stopped arriving: {0}")]
    Interrupted(String),
    /// The file system refused.
    #[error("{action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The bucket refused or could not be reached.
    #[error("{action} {path} in the bucket")]
    Bucket {
        /// What was tried.
        action: &'static str,
        /// On which object.
        path: String,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The task doing the work was cancelled, as at shutdown.
    #[error("the work was cancelled")]
    Cancelled,
}

impl BlobError {
    /// Wraps a failure of the file system, telling a full disk from others.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::StorageFull { path },
            _ => Self::Io { action, path, source },
        }
    }
}
