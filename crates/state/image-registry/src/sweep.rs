//! Clearing away what no image needs.

use crate::{ImageError, ImageRegistry};
use resources::ecr::{BlobLink, Image};
use std::collections::HashSet;
use std::time::Duration;

/// Age before which an unused blob or an idle upload is left alone: its manifest may still be on the way.
const GRACE: Duration = Duration::from_secs(24 * 3600);

/// What a sweep cleared away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Uploads that nothing was appended to.
    pub uploads: usize,
    /// Blobs that no image names.
    pub blobs: usize,
    /// Bytes of those blobs.
    pub bytes: u64,
}

impl ImageRegistry {
    /// Removes idle uploads, and blobs that no image of any repository names. Call it now and then.
    ///
    /// No manifest is taken while it decides and removes, so an image never loses a blob. A client that saw an old
    /// unused blob just before is told at its manifest that the blob is unknown, and pushes it again.
    pub async fn sweep(&self) -> Result<Swept, ImageError> {
        let registry = self;
        let mut swept = Swept { uploads: registry.blobs.expire_uploads(GRACE).await?, ..Swept::default() };
        let limit = registry.tables.environment().now() - GRACE;
        let stored = registry.blobs.list().await?;
        let _alone = registry.pushing.write().await;
        let images = registry.tables.list_all::<Image>("").await?;
        let used: HashSet<&str> = images.iter().flat_map(|image| &image.blobs).map(String::as_str).collect();
        let unused: Vec<_> = stored
            .into_iter()
            .filter(|blob| blob.stored_at < limit && !used.contains(blob.digest.to_string().as_str()))
            .collect();
        for blob in unused {
            for link in registry.tables.list_all::<BlobLink>("").await? {
                if link.digest == blob.digest.to_string() {
                    registry
                        .tables
                        .batch()
                        .delete_any::<BlobLink>(&resources::Stored::key(&*link.value))
                        .commit()
                        .await?;
                }
            }
            registry.blobs.delete(&blob.digest).await?;
            swept.blobs += 1;
            swept.bytes += blob.size;
        }
        Ok(swept)
    }
}
