//! A client of OCI registries: references, digests, manifests and blobs; authentication, redirects, time limits.
//!
//! Hosts pull images with it, and the region's own registry what it caches of others. What the documents mean is the
//! callers' business, and so is verifying that bytes have the digest they were asked for by.

mod client;
mod digest;
mod error;
pub mod local;
mod reach;
mod reference;

pub use client::{BlobPart, BlobPlace, BlobStream, Client, Fetched, Repository, Upload};
pub use digest::{Digest, DigestError, Hasher};
pub use error::RegistryError;
pub use reach::{BasicAuth, LocalRegistry, Reach};
pub use reference::{Reference, ReferenceError};
