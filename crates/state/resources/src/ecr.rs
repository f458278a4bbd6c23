//! ECR: repositories, images, tags, and which blobs a repository holds.
//!
//! Rows of a repository have keys that begin with `account/repository@`; names hold no `@`, so one repository's prefix
//! never covers another's rows.

use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// A repository.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Repository {
    /// Owner.
    pub account: AccountId,
    /// Name, with `/` between its parts.
    pub name: String,
    /// A tag, once given, stays on its image.
    pub immutable_tags: bool,
    /// Tags of the repository itself.
    pub tags: Vec<(String, String)>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A manifest that was pushed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Image {
    /// Owner.
    pub account: AccountId,
    /// Repository.
    pub repository: String,
    /// Digest of the manifest.
    pub digest: String,
    /// Media type of the manifest.
    pub media_type: String,
    /// `artifactType`, or the media type of the configuration.
    pub artifact_type: Option<String>,
    /// The manifest, byte for byte.
    pub manifest: String,
    /// Bytes of its configuration and layers; of an index, of nothing.
    pub size: u64,
    /// Digests of its configuration and layers.
    pub blobs: Vec<String>,
    /// Digests of the manifests of an index.
    pub children: Vec<String>,
    /// Digest of the manifest it refers to.
    pub subject: Option<String>,
    /// When it was pushed first.
    pub pushed_at: Timestamp,
}

/// A tag of an image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImageTag {
    /// Owner.
    pub account: AccountId,
    /// Repository.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// Digest of the image it is on.
    pub digest: String,
    /// When it was put there.
    pub tagged_at: Timestamp,
}

/// A blob that was pushed to or mounted into a repository. Others do not see it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BlobLink {
    /// Owner.
    pub account: AccountId,
    /// Repository.
    pub repository: String,
    /// The blob.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
}

/// Prefix of the keys of a repository's rows.
pub fn rows_of(account: &AccountId, repository: &str) -> String {
    format!("{account}/{repository}@")
}

impl Stored for Repository {
    const TABLE: &'static str = "ecr/repository";

    fn key(&self) -> String {
        format!("{}/{}", self.account, self.name)
    }
}

impl Stored for Image {
    const TABLE: &'static str = "ecr/image";

    fn key(&self) -> String {
        rows_of(&self.account, &self.repository) + &self.digest
    }
}

impl Stored for ImageTag {
    const TABLE: &'static str = "ecr/tag";

    fn key(&self) -> String {
        rows_of(&self.account, &self.repository) + &self.tag
    }
}

impl Stored for BlobLink {
    const TABLE: &'static str = "ecr/blob";

    fn key(&self) -> String {
        rows_of(&self.account, &self.repository) + &self.digest
    }
}
