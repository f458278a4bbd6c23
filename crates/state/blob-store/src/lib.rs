//! Content-addressed blobs, resumable uploads and append-only segments.
//!
//! Whole blobs lie in a local directory, or in a [`Bucket`] of any S3-compatible storage. An upload is gathered in a local
//! file in both cases, as bytes arrive in any size and must be hashed before they are a blob; segments are appended to
//! all the time, which buckets cannot do, so they are local too.
//!
//! Promises: a blob is visible only whole, under the digest of its bytes, after it is durable; an upload survives a
//! restart; a segment's record is on disk before its append is answered, and a torn tail is cut off at opening.
//! Memory stays flat whatever the size of a blob. What a blob means, and who may read it, is for others to know.

mod blobs;
mod bucket;
mod buffers;
mod digest;
mod directory;
mod error;
mod segments;
mod uploads;

pub use blobs::{BlobRange, BlobStore, Health, OpenedBlob, ReadBlob, StoredBlob};
pub use bucket::{Bucket, NotABucket, S3Bucket, S3Credentials};
pub use digest::{Algorithm, Digest, DigestError, Hasher};
pub use error::BlobError;
pub use segments::{Record, Segment};
pub use uploads::{CheckedUpload, UploadId};
