//! Which blobs a repository has: they are linked first and put in place afterwards.

use crate::{ImageError, ImageRegistry};
use blob_store::{CheckedUpload, Digest};
use bytes::Bytes;
use identifiers::AccountId;
use resources::ecr::{BlobLink, BlobRemoval, Image, rows_of};
use std::time::Duration;
use store::{Batch, StoreError, Versioned};

/// Time between two looks at a blob that is being removed.
const WAIT: Duration = Duration::from_millis(20);
/// Looks at a blob that is being removed or linked elsewhere; half a minute in all.
const MOST_ATTEMPTS: usize = 1_500;

impl ImageRegistry {
    /// The row that makes a blob visible in a repository, if the blob is really there.
    pub async fn link(
        &self,
        account: &AccountId,
        repository: &str,
        digest: &Digest,
    ) -> Result<Option<Versioned<BlobLink>>, ImageError> {
        let found = self.tables.get::<BlobLink>(&row(account, repository, digest)).await?;
        let Some(link) = found else { return Ok(None) };
        let there = self.blobs.stat(digest).await?.is_some();
        Ok(there.then_some(link))
    }

    /// Makes a checked upload a blob of a repository and returns its size.
    pub async fn keep_upload(
        &self,
        account: &AccountId,
        repository: &str,
        digest: &Digest,
        upload: CheckedUpload,
    ) -> Result<u64, ImageError> {
        let size = upload.size();
        self.add_link(account, repository, digest, size).await?;
        upload.keep().await?;
        Ok(size)
    }

    /// Puts small content into a repository as a blob.
    pub async fn put_blob(
        &self,
        account: &AccountId,
        repository: &str,
        digest: &Digest,
        content: Bytes,
    ) -> Result<(), ImageError> {
        let found = Digest::by(digest.algorithm(), &content);
        if found != *digest {
            return Err(ImageError::DigestMismatch { wanted: digest.clone(), found });
        }
        self.add_link(account, repository, digest, content.len() as u64).await?;
        Ok(self.blobs.put_verified(digest, content).await?)
    }

    /// Makes a blob of `from` visible in `to` as well and returns its size; `None` when it is not in `from`.
    pub async fn mount(
        &self,
        account: &AccountId,
        (from, to): (&str, &str),
        digest: &Digest,
    ) -> Result<Option<u64>, ImageError> {
        for _ in 0..MOST_ATTEMPTS {
            let Some(source) = self.link(account, from, digest).await? else { return Ok(None) };
            // As long as the source is linked its blob stays.
            let batch = self.tables.batch().require_unchanged(&source);
            if self.write_link(account, to, (digest, source.size), batch).await? {
                return Ok(Some(source.size));
            }
        }
        Err(ImageError::Busy)
    }

    /// Takes a blob out of a repository. Images that need it keep it: it is refused then.
    pub async fn unlink(
        &self,
        account: &AccountId,
        repository: &str,
        digest: &Digest,
    ) -> Result<bool, ImageError> {
        let key = row(account, repository, digest);
        for _ in 0..MOST_ATTEMPTS {
            let Some(link) = self.tables.get::<BlobLink>(&key).await? else { return Ok(true) };
            let text = digest.to_string();
            let images = self.tables.list_all::<Image>(&rows_of(account, repository)).await?;
            if images.iter().any(|image| image.blobs.contains(&text)) {
                return Ok(false);
            }
            // An image that was written since has marked the link, unless it was marked before.
            let batch = self.tables.batch();
            let batch = if link.referenced {
                batch.replace(&link, &BlobLink { referenced: false, ..(*link.value).clone() })
            } else {
                batch.delete(&link)
            };
            match batch.commit().await {
                Ok(_) if !link.referenced => return Ok(true),
                Ok(_) => {}
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ImageError::Busy)
    }

    /// Makes a blob visible in a repository that is there or comes next; one that is being removed is waited for.
    pub async fn add_link(
        &self,
        account: &AccountId,
        repository: &str,
        digest: &Digest,
        size: u64,
    ) -> Result<(), ImageError> {
        for _ in 0..MOST_ATTEMPTS {
            if self.write_link(account, repository, (digest, size), self.tables.batch()).await? {
                return Ok(());
            }
        }
        Err(ImageError::Busy)
    }

    /// Writes a link together with what `batch` holds; `false` to try again.
    async fn write_link(
        &self,
        account: &AccountId,
        repository: &str,
        (digest, size): (&Digest, u64),
        batch: Batch,
    ) -> Result<bool, ImageError> {
        let text = digest.to_string();
        let old = self.tables.get::<BlobLink>(&row(account, repository, digest)).await?;
        let link = BlobLink {
            account: account.clone(),
            repository: repository.to_owned(),
            digest: text.clone(),
            size,
            linked_at: self.tables.environment().now(),
            referenced: old.as_ref().is_some_and(|old| old.referenced),
        };
        let batch = batch.require_absent::<BlobRemoval>(&text);
        let batch = match &old {
            Some(old) => batch.replace(old, &link),
            None => batch.create(&link),
        };
        match batch.commit().await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict(_)) => {
                if self.tables.get::<BlobRemoval>(&text).await?.is_some() {
                    self.help().await?;
                    self.tables.environment().sleep(WAIT).await;
                }
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn row(account: &AccountId, repository: &str, digest: &Digest) -> String {
    format!("{}{digest}", rows_of(account, repository))
}
