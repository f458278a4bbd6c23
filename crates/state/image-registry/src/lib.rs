//! Images in repositories: what is the same whether they come through ECR's API, through the distribution protocol, or
//! through a controller.
//!
//! Names and tags are rows of the store, blobs lie in the blob store; a blob is visible only in repositories it was
//! pushed to or mounted into. Who may do what is decided before this crate is called.
//!
//! Images and links come and go while a collector works, from any number of servers over one store, and no lock is held:
//!
//! - A link is written before its blob gets its place, and only while no `BlobRemoval` of the blob is there.
//! - An image is written in one transaction with the links it needs: each must be as it was read, and one that no image
//!   has needed before is marked as referenced.
//! - A link goes only if it is still as it was read before all images were looked through, so one that an image was
//!   written for meanwhile stays.
//! - A blob goes only between a removal row's writing and deletion, after all links were looked through.
//!
//! So an image never lacks a blob, which `tests/it` shows for thousands of orders of events. One collector works at a time.

mod archive;
mod collect;
mod delete;
mod document;
mod error;
mod event_document;
mod events;
mod layer_uploads;
mod links;
mod policies;
mod pulls;
mod push;
mod repositories;
mod usage;
mod verify;

pub use archive::moved;
pub use collect::{Collected, Collections, GRACE};
pub use delete::Deleted;
pub use document::{Descriptor, Document, MOST_MANIFEST_BYTES, OCI_INDEX, is_index, is_tag, says_its_type};
pub use error::ImageError;
pub use event_document::event_document;
pub use events::append_event;
pub use layer_uploads::{LAYER_PART_BYTES, LayerUploadError};
pub use pulls::PullLog;
pub use push::{PushImage, Pushed};
pub use repositories::TemplateRoles;
pub use usage::{RepositoryUsage, Usage};
pub use verify::{Damage, Verified};

use blob_store::BlobStore;
use environment::Environment;
use resources::ecr::{Image, Repository, rows_of};
use std::sync::Arc;
use store::{StoreError, Tables, Versioned};
use tokio::sync::Mutex;

/// The images of a region; cheap to clone. All parts of a program share one, so that one collector is at work.
#[derive(Clone)]
pub struct ImageRegistry {
    tables: Tables,
    blobs: BlobStore,
    pulls: Arc<PullLog>,
    /// Assumes the roles of creation templates; without it they make nothing.
    roles: Option<Arc<dyn TemplateRoles>>,
    /// Held by the collector at work.
    collecting: Arc<Mutex<()>>,
    /// What collectors have done.
    collections: Arc<std::sync::Mutex<Collections>>,
}

impl ImageRegistry {
    /// Over a region's tables and blobs.
    pub fn new(tables: Tables, blobs: BlobStore) -> Self {
        let pulls = Arc::new(PullLog::new(tables.clone()));
        Self { tables, blobs, pulls, roles: None, collecting: Arc::default(), collections: Arc::default() }
    }

    /// The same, which makes repositories as the roles of their templates.
    pub fn with_roles(self, roles: Arc<dyn TemplateRoles>) -> Self {
        Self { roles: Some(roles), ..self }
    }

    /// The rows.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The blobs.
    pub fn blobs(&self) -> &BlobStore {
        &self.blobs
    }

    /// Who pulled what, written down now and then.
    pub fn pulls(&self) -> &Arc<PullLog> {
        &self.pulls
    }

    fn environment(&self) -> &Environment {
        self.tables.environment()
    }

    /// An image by its digest.
    pub async fn image(
        &self,
        repository: &Repository,
        digest: &str,
    ) -> Result<Option<Versioned<Image>>, StoreError> {
        self.tables.get(&key(repository, digest)).await
    }
}

/// The key of a row of a repository.
fn key(repository: &Repository, last: &str) -> String {
    rows_of(&repository.account, &repository.name) + last
}

#[cfg(test)]
mod tests;
