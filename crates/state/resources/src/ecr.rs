//! ECR: registries, repositories, images, tags, and which blobs a repository holds.
//!
//! Rows of a repository have keys that begin with `account/repository@`; names hold no `@`, so one repository's prefix
//! never covers another's rows.

mod event;
mod hosts;
mod image;
mod public;
mod pull_through;
mod registry;
mod replication;
mod repository;
mod scan;
mod template;
mod wildcard;

pub use event::{EVENTS_KEPT, Event, EventKind, ImageAction};
pub use hosts::RegistryHosts;
pub use image::{BlobLink, BlobRemoval, Image, ImagePulls, ImageStatus, ImageTag, StorageClass};
pub use public::{CatalogData, PUBLIC_PATH, account_of_alias, given_name, public_alias, public_name};
pub use pull_through::{PullThroughCacheRule, PullThroughCheck};
pub use registry::{
    PullTimeExclusion, Registry, RegistryScanning, ReplicationDestination, ReplicationRule, ScanFrequency,
    ScanType, ScanningRule,
};
pub use replication::{ImageReplication, ReplicationState};
pub use repository::{LifecyclePolicyPreview, LifecyclePolicyText, Repository, TagMutability};
pub use scan::{
    FindingScore, ImageFinding, ImageScan, ScanResult, ScanStatus, Scanning, VulnerabilityData,
    VulnerablePackage, scanning_of,
};
pub use template::{AppliedFor, ROOT_PREFIX, RepositoryCreationTemplate, template_for};
pub use wildcard::matches_wildcard;

use identifiers::AccountId;

/// Prefix of the keys of a repository's rows.
pub fn rows_of(account: &AccountId, repository: &str) -> String {
    format!("{account}/{repository}@")
}
