//! Reads groups, streams and the names of blocks.

use super::RetentionError;
use blob_store::BlobStore;
use resources::logs::{LogGroup, LogStream, STREAMS_FOLDER};
use std::sync::Arc;
use store::Tables;

/// What there is.
pub struct Observed {
    /// Folders of streams, with the names of their blocks. Read before the rows: a folder is made after its row, so
    /// one without a row belongs to a deleted stream.
    pub folders: Vec<Folder>,
    /// Rows of streams; read before those of groups for the same reason.
    pub streams: Vec<Arc<LogStream>>,
    /// Rows of groups.
    pub groups: Vec<Arc<LogGroup>>,
}

/// The blocks of a stream.
pub struct Folder {
    /// Full name; its last part is the stream's id.
    pub name: String,
    /// Full names.
    pub blocks: Vec<String>,
}

/// Reads everything.
pub async fn observe(tables: &Tables, blobs: &BlobStore) -> Result<Observed, RetentionError> {
    let mut folders = Vec::new();
    for name in blobs.list_segments(STREAMS_FOLDER).await? {
        let blocks = blobs.list_segments(&name).await?;
        folders.push(Folder { name, blocks });
    }
    let streams = tables.list_all::<LogStream>("").await?.into_iter().map(|row| row.value).collect();
    let groups = tables.list_all::<LogGroup>("").await?.into_iter().map(|row| row.value).collect();
    Ok(Observed { folders, streams, groups })
}
