//! Images, their tags, their blobs, and how often they were pulled.

use super::rows_of;
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// A manifest that was pushed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Bytes of its configuration and layers; of an index, those of the largest image that was there when it was pushed.
    pub size: u64,
    /// Digests of its configuration and layers.
    pub blobs: Vec<String>,
    /// Digests of the manifests of an index.
    pub children: Vec<String>,
    /// Digest of the manifest it refers to.
    pub subject: Option<String>,
    /// When it was pushed first.
    pub pushed_at: Timestamp,
    /// Whether it can be pulled.
    #[serde(default)]
    pub storage_class: StorageClass,
    /// When it was archived last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<Timestamp>,
    /// When it came back from the archive last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activated_at: Option<Timestamp>,
}

/// Where an image is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StorageClass {
    /// Ready to be pulled.
    #[default]
    Standard,
    /// Not to be pulled until it is restored.
    Archive,
}

/// Whether an image can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageStatus {
    /// It can be pulled.
    Active,
    /// It must be restored first.
    Archived,
}

/// A tag of an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobLink {
    /// Owner.
    pub account: AccountId,
    /// Repository.
    pub repository: String,
    /// The blob.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was pushed or mounted last.
    #[serde(default)]
    pub linked_at: Timestamp,
    /// An image may need it. Whoever lets an image need it first sets this, which tells a collector that it is too late;
    /// the collector takes it back some time after the last such image has gone.
    #[serde(default)]
    pub referenced: bool,
}

/// A blob that is being removed from the storage. No repository may link it as long as this row is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRemoval {
    /// The blob.
    pub digest: String,
    /// When it began.
    pub begun_at: Timestamp,
}

/// How often and when last an image was pulled. A row of its own, written in batches: a pull never waits for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImagePulls {
    /// Owner.
    pub account: AccountId,
    /// Repository.
    pub repository: String,
    /// Digest of the image.
    pub digest: String,
    /// When it was pulled last.
    pub last_pulled_at: Timestamp,
    /// Pulls in all.
    pub count: u64,
}

impl Image {
    /// Whether it can be used.
    pub fn status(&self) -> ImageStatus {
        match self.storage_class {
            StorageClass::Standard => ImageStatus::Active,
            StorageClass::Archive => ImageStatus::Archived,
        }
    }

    /// Whether it may not be pulled before it is restored.
    pub fn is_archived(&self) -> bool {
        self.storage_class == StorageClass::Archive
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

impl Stored for BlobRemoval {
    const TABLE: &'static str = "ecr/blob-removal";

    fn key(&self) -> String {
        self.digest.clone()
    }
}

impl Stored for ImagePulls {
    const TABLE: &'static str = "ecr/pulls";

    fn key(&self) -> String {
        rows_of(&self.account, &self.repository) + &self.digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_earlier_versions_are_read() {
        let time = serde_json::to_string(&Timestamp::from_seconds(7)).expect("a number");
        let row = format!(
            r#"{{"account":"123456789012","repository":"app","digest":"sha256:aa","media_type":"m","artifact_type":null,
               "manifest":"{{}}","size":2,"blobs":[],"children":[],"subject":null,"pushed_at":{time}}}"#
        );
        let image: Image = serde_json::from_str(&row).expect("reads");
        assert_eq!((image.status(), image.archived_at), (ImageStatus::Active, None));
    }
}
