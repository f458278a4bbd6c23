//! How much there is: images, tags and bytes of each repository, and blobs of all of them.

use crate::ImageRegistry;
use resources::Stored;
use resources::ecr::{BlobLink, Image, ImageTag, Repository, rows_of};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use store::{Page, StoreError, Versioned};

/// Rows read at a time; those of images have manifests in them.
const PAGE: usize = 500;

/// What a repository holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryUsage {
    /// `account/repository`.
    pub repository: String,
    /// Manifests and indexes.
    pub images: u64,
    /// Tags.
    pub tags: u64,
    /// Bytes of the blobs that it links, each once, and of its manifests.
    pub bytes: u64,
}

/// What all repositories hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Each repository.
    pub repositories: Vec<RepositoryUsage>,
    /// Blobs that some repository links.
    pub blobs: u64,
    /// Bytes of those blobs, each once however many repositories link it.
    pub blob_bytes: u64,
}

impl ImageRegistry {
    /// Counts what there is, reading all rows some at a time.
    pub async fn usage(&self) -> Result<Usage, StoreError> {
        let mut usage = Usage::default();
        // Half of a digest tells it from others.
        let mut seen: HashSet<u128> = HashSet::new();
        let mut names = Vec::new();
        self.each_row::<Repository>("", |row| names.push((row.account.clone(), row.name.clone()))).await?;
        for (account, name) in names {
            let prefix = rows_of(&account, &name);
            let mut counted =
                RepositoryUsage { repository: format!("{account}/{name}"), ..RepositoryUsage::default() };
            self.each_row::<Image>(&prefix, |image| {
                counted.images += 1;
                counted.bytes = counted.bytes.saturating_add(image.manifest.len() as u64);
            })
            .await?;
            self.each_row::<ImageTag>(&prefix, |_| counted.tags += 1).await?;
            self.each_row::<BlobLink>(&prefix, |link| {
                counted.bytes = counted.bytes.saturating_add(link.size);
                if seen.insert(half(&link.digest)) {
                    usage.blobs += 1;
                    usage.blob_bytes = usage.blob_bytes.saturating_add(link.size);
                }
            })
            .await?;
            usage.repositories.push(counted);
        }
        Ok(usage)
    }

    async fn each_row<T: Stored>(
        &self,
        prefix: &str,
        mut look: impl FnMut(&Versioned<T>),
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.tables().list::<T>(prefix, Page { after, limit: PAGE }).await?;
            page.items.iter().for_each(&mut look);
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }
}

fn half(digest: &str) -> u128 {
    let hex = digest.split_once(':').map_or(digest, |(_, hex)| hex);
    u128::from_str_radix(hex.get(..32).unwrap_or(hex), 16).unwrap_or_default()
}
