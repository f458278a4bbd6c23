//! Which blobs a repository has.

use crate::{ImageError, ImageRegistry};
use blob_store::Digest;
use identifiers::AccountId;
use resources::ecr::{BlobLink, rows_of};

impl ImageRegistry {
    /// The row that makes a blob visible in a repository, if the blob is really there.
    pub async fn link(
        &self,
        account: &AccountId,
        repository: &str,
        digest: &Digest,
    ) -> Result<Option<BlobLink>, ImageError> {
        let found = self.tables.get::<BlobLink>(&format!("{}{digest}", rows_of(account, repository))).await?;
        let Some(link) = found else { return Ok(None) };
        let there = self.blobs.stat(digest).await?.is_some();
        Ok(there.then(|| (*link.value).clone()))
    }

    /// Makes a blob visible in a repository.
    pub async fn add_link(
        &self,
        account: &AccountId,
        repository: &str,
        digest: &Digest,
        size: u64,
    ) -> Result<(), ImageError> {
        let link = BlobLink {
            account: account.clone(),
            repository: repository.to_owned(),
            digest: digest.to_string(),
            size,
        };
        self.tables.batch().put_any(&link).commit().await?;
        Ok(())
    }
}
