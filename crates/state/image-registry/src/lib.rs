//! Images in repositories: what is the same whether they come through ECR's API, through the distribution protocol, or
//! through a controller.
//!
//! Names and tags are rows of the store, blobs lie in the blob store; a blob is visible only in repositories it was
//! pushed to or mounted into. Who may do what is decided before this crate is called.

mod delete;
mod document;
mod error;
mod events;
mod links;
mod pulls;
mod push;
mod repositories;
mod sweep;

pub use delete::Deleted;
pub use document::{Document, OCI_INDEX};
pub use error::ImageError;
pub use events::append_event;
pub use pulls::PullLog;
pub use push::{PushImage, Pushed};
pub use sweep::Swept;

use blob_store::BlobStore;
use environment::Environment;
use resources::ecr::{Image, Repository, rows_of};
use std::sync::Arc;
use store::{StoreError, Tables, Versioned};
use tokio::sync::RwLock;

/// The images of a region; cheap to clone. All parts of a program share one, because pushes and sweeps wait for each
/// other.
#[derive(Clone)]
pub struct ImageRegistry {
    tables: Tables,
    blobs: BlobStore,
    pulls: Arc<PullLog>,
    /// Pushes of manifests share it; the sweep of unused blobs has it alone, so no blob goes between the check that
    /// it is there and the manifest that needs it.
    pushing: Arc<RwLock<()>>,
}

impl ImageRegistry {
    /// Over a region's tables and blobs.
    pub fn new(tables: Tables, blobs: BlobStore) -> Self {
        let pulls = Arc::new(PullLog::new(tables.clone()));
        Self { tables, blobs, pulls, pushing: Arc::new(RwLock::new(())) }
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
