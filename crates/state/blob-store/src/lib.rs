//! Content-addressed blobs, resumable uploads and append-only segments in a local directory.
//!
//! Promises: a blob is visible only whole, under the digest of its bytes, after it is on disk; an upload survives a
//! restart; a segment's record is on disk before its append is answered, and a torn tail is cut off at opening.
//! Memory stays flat whatever the size of a blob. What a blob means, and who may read it, is for others to know.

mod blobs;
mod digest;
mod error;
mod segments;
mod uploads;

pub use blobs::{BlobRange, BlobStore, ReadBlob, StoredBlob};
pub use digest::{Algorithm, Digest, DigestError};
pub use error::BlobError;
pub use segments::{Record, Segment};
pub use uploads::UploadId;
