//! Carries the steps out.

use super::RetentionError;
use super::plan::Remove;
use blob_store::BlobStore;
use resources::logs::{LogGroup, LogStream};
use std::collections::BTreeMap;
use store::{StoreError, Tables};

/// Carries out every step, and counts the bytes that went once per group.
pub async fn apply(tables: &Tables, blobs: &BlobStore, steps: &[Remove]) -> Result<(), RetentionError> {
    let mut gone: BTreeMap<&str, i64> = BTreeMap::new();
    for step in steps {
        match step {
            Remove::Stream { key } => {
                tables.batch().delete_any::<LogStream>(key).commit().await?;
            }
            Remove::Folder { name } => blobs.delete_segments(name).await?,
            Remove::Block { name, group, bytes } => {
                blobs.delete_segments(name).await?;
                *gone.entry(group).or_default() += i64::try_from(*bytes).unwrap_or(i64::MAX);
            }
        }
    }
    for (group, bytes) in gone {
        let shrink = |group: &LogGroup| {
            let stored_bytes = group.stored_bytes.saturating_sub(bytes).max(0);
            Ok::<_, StoreError>(Some(LogGroup { stored_bytes, ..group.clone() }))
        };
        tables.update(group, shrink).await?;
    }
    Ok(())
}
