//! Removal of what no image needs, while pushes go on.

use crate::{ImageError, ImageRegistry};
use blob_store::{BlobError, Digest};
use environment::Timestamp;
use futures::{StreamExt, stream};
use resources::ecr::{BlobLink, BlobRemoval, Image};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::PoisonError;
use std::time::Duration;
use store::{Batch, Page, StoreError, Versioned};

/// Age before which a link that no image has needed is left alone: its manifest may still be on the way.
pub const GRACE: Duration = Duration::from_secs(24 * 3600);
/// Rows read at a time.
const PAGE: usize = 1_000;
/// Rows written in one transaction.
const WRITES: usize = 200;
/// Blobs removed at a time; pushes of just these wait meanwhile.
const BATCH: usize = 2_000;
/// Blobs removed at the same time.
const AT_ONCE: usize = 16;

/// What a collector cleared away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Uploads that nothing was appended to.
    pub uploads: usize,
    /// Links of blobs that no image of the repository names.
    pub links: usize,
    /// Blobs that no repository links.
    pub blobs: usize,
    /// Bytes of those blobs.
    pub bytes: u64,
}

/// What collectors have done since the program started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collections {
    /// Times that one came to its end.
    pub runs: u64,
    /// Times that one failed.
    pub failures: u64,
    /// Blobs that were removed.
    pub blobs: u64,
    /// Bytes of those blobs.
    pub bytes: u64,
    /// Links that were removed.
    pub links: u64,
    /// Uploads that were removed.
    pub uploads: u64,
    /// When one last came to its end.
    pub last_ended_at: Option<Timestamp>,
}

/// A set of texts by their hashes, so that it is small. Two texts may count as one, and then one of them is kept for no
/// reason, until another start of the program hashes otherwise.
#[derive(Default)]
struct Texts {
    hasher: RandomState,
    hashes: HashSet<u64>,
}

impl Texts {
    fn insert(&mut self, text: &str) {
        self.hashes.insert(self.hasher.hash_one(text));
    }

    fn has(&self, text: &str) -> bool {
        self.hashes.contains(&self.hasher.hash_one(text))
    }
}

impl ImageRegistry {
    /// Removes idle uploads, links that no image needs, and blobs that no repository links, as far as they are older than
    /// `grace`. Call it now and then.
    ///
    /// Nothing waits for it but the push of a blob that is being removed in this moment. A client that saw an old unused
    /// blob just before is told at its manifest that the blob is unknown, and pushes it again.
    pub async fn collect(&self, grace: Duration) -> Result<Collected, ImageError> {
        let _alone = self.collecting.lock().await;
        let collected = self.collect_alone(grace).await;
        let mut all = self.collections.lock().unwrap_or_else(PoisonError::into_inner);
        match &collected {
            Ok(done) => {
                all.runs += 1;
                all.blobs += done.blobs as u64;
                all.bytes = all.bytes.saturating_add(done.bytes);
                all.links += done.links as u64;
                all.uploads += done.uploads as u64;
                all.last_ended_at = Some(self.environment().now());
            }
            Err(_) => all.failures += 1,
        }
        collected
    }

    /// What collectors have done since the program started.
    pub fn collections(&self) -> Collections {
        *self.collections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn collect_alone(&self, grace: Duration) -> Result<Collected, ImageError> {
        let mut collected =
            Collected { uploads: self.blobs.expire_uploads(grace).await?, ..Collected::default() };
        self.finish_removals(&mut collected).await?;
        let limit = self.tables.environment().now() - grace;
        self.release_links().await?;
        self.remove_links(limit, &mut collected).await?;
        self.remove_blobs(limit, &mut collected).await?;
        Ok(collected)
    }

    /// Brings to an end what an earlier collector began and could not finish, unless one is at work: pushes of these blobs
    /// would wait for ever.
    pub(crate) async fn help(&self) -> Result<(), ImageError> {
        match self.collecting.try_lock() {
            Ok(_alone) => self.finish_removals(&mut Collected::default()).await,
            Err(_) => Ok(()),
        }
    }

    async fn finish_removals(&self, collected: &mut Collected) -> Result<(), ImageError> {
        let mut begun = self.tables.list_all::<BlobRemoval>("").await?.into_iter();
        loop {
            let some = begun.by_ref().take(BATCH).filter_map(|row| row.digest.parse().ok());
            let some: Vec<_> = some.map(|digest| (digest, 0)).collect();
            if some.is_empty() {
                return Ok(());
            }
            self.remove(some, collected).await?;
        }
    }

    /// Keys of all links that an image needs.
    async fn needed(&self) -> Result<Texts, ImageError> {
        let mut needed = Texts::default();
        let mut after = None;
        loop {
            let page = self.tables.list::<Image>("", Page { after, limit: PAGE }).await?;
            for image in &page.items {
                for blob in &image.blobs {
                    needed.insert(&(resources::ecr::rows_of(&image.account, &image.repository) + blob));
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(needed);
            }
            tokio::task::yield_now().await;
        }
    }

    /// Takes the mark from links whose images have gone. An image that is written from now on sets it again.
    async fn release_links(&self) -> Result<(), ImageError> {
        let needed = self.needed().await?;
        let free = |link: &BlobLink| link.referenced && !needed.has(&resources::Stored::key(link));
        let mut after = None;
        loop {
            let page = self.tables.list::<BlobLink>("", Page { after, limit: PAGE }).await?;
            let freed: Vec<Versioned<BlobLink>> = page.items.into_iter().filter(|link| free(link)).collect();
            for some in freed.chunks(WRITES) {
                self.write_each(some, release).await?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Removes links that are not marked and that no image needs. The links are read first and the images afterwards: an
    /// image that is written in between marks the link, and what is marked is not as it was read.
    async fn remove_links(&self, limit: Timestamp, collected: &mut Collected) -> Result<(), ImageError> {
        let mut candidates = Vec::new();
        let mut after = None;
        loop {
            let page = self.tables.list::<BlobLink>("", Page { after, limit: PAGE }).await?;
            let old = |link: &Versioned<BlobLink>| !link.referenced && link.linked_at < limit;
            candidates.extend(page.items.into_iter().filter(old));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let needed = self.needed().await?;
        candidates.retain(|link| !needed.has(&resources::Stored::key(&*link.value)));
        for some in candidates.chunks(WRITES) {
            collected.links += self.write_each(some, Batch::delete).await?;
        }
        Ok(())
    }

    /// Writes many rows at once, or one by one when one of them has changed; those that have are left out.
    async fn write_each(
        &self,
        links: &[Versioned<BlobLink>],
        write: fn(Batch, &Versioned<BlobLink>) -> Batch,
    ) -> Result<usize, ImageError> {
        let all = links.iter().fold(self.tables.batch(), write);
        match all.commit().await {
            Ok(_) => return Ok(links.len()),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
        let mut written = 0;
        for link in links {
            match write(self.tables.batch(), link).commit().await {
                Ok(_) => written += 1,
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(written)
    }

    /// Digests of all blobs that some repository links.
    async fn linked(&self) -> Result<Texts, StoreError> {
        let mut linked = Texts::default();
        let mut after = None;
        loop {
            let (keys, next) = self.tables.keys::<BlobLink>("", Page { after, limit: PAGE }).await?;
            for key in &keys {
                linked.insert(key.rsplit_once('@').map_or("", |(_, digest)| digest));
            }
            after = next;
            if after.is_none() {
                return Ok(linked);
            }
            tokio::task::yield_now().await;
        }
    }

    async fn remove_blobs(&self, limit: Timestamp, collected: &mut Collected) -> Result<(), ImageError> {
        let linked = self.linked().await?;
        let mut stored = self.blobs.list();
        let mut batch = Vec::new();
        while let Some(some) = stored.next().await {
            for blob in some? {
                if blob.stored_at < limit && !linked.has(&blob.digest.to_string()) {
                    batch.push((blob.digest, blob.size));
                }
            }
            if batch.len() >= BATCH {
                self.remove(std::mem::take(&mut batch), collected).await?;
            }
        }
        self.remove(batch, collected).await
    }

    /// Removes blobs that were linked nowhere a moment ago and are linked nowhere now that they cannot be.
    async fn remove(&self, blobs: Vec<(Digest, u64)>, collected: &mut Collected) -> Result<(), ImageError> {
        if blobs.is_empty() {
            return Ok(());
        }
        let begun_at = self.tables.environment().now();
        for some in blobs.chunks(WRITES) {
            let mut batch = self.tables.batch();
            for (digest, _) in some {
                batch = batch.put_any(&BlobRemoval { digest: digest.to_string(), begun_at });
            }
            batch.commit().await?;
        }
        let removed = self.remove_unlinked(&blobs).await;
        for some in blobs.chunks(WRITES) {
            let mut batch = self.tables.batch();
            for (digest, _) in some {
                batch = batch.delete_any::<BlobRemoval>(&digest.to_string());
            }
            batch.commit().await?;
        }
        let (count, bytes) = removed?;
        collected.blobs += count;
        collected.bytes += bytes;
        Ok(())
    }

    async fn remove_unlinked(&self, blobs: &[(Digest, u64)]) -> Result<(usize, u64), ImageError> {
        let linked = self.linked().await?;
        let unlinked: Vec<(Digest, u64)> =
            blobs.iter().filter(|(digest, _)| !linked.has(&digest.to_string())).cloned().collect();
        let mut removals = stream::iter(unlinked.into_iter().map(|(digest, size)| {
            let blobs = self.blobs.clone();
            async move { blobs.delete(&digest).await.map(|()| size) }
        }))
        .buffer_unordered(AT_ONCE);
        let (mut count, mut bytes, mut failed) = (0, 0, None::<BlobError>);
        while let Some(removed) = removals.next().await {
            match removed {
                Ok(size) => {
                    count += 1;
                    bytes += size;
                }
                Err(error) => failed = Some(error),
            }
        }
        // All removals are over by now: nothing is taken after the rows that announce it have gone.
        failed.map_or(Ok((count, bytes)), |error| Err(error.into()))
    }
}

fn release(batch: Batch, link: &Versioned<BlobLink>) -> Batch {
    batch.replace(link, &BlobLink { referenced: false, ..(*link.value).clone() })
}
