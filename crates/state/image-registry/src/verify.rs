//! Reading everything again: whether each blob still has its digest and each image its blobs.

use crate::{ImageError, ImageRegistry};
use blob_store::{Digest, Health};
use resources::ecr::{BlobLink, Image, rows_of};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::Page;

/// Rows read at a time.
const PAGE: usize = 500;
/// Faults that are told one by one.
const MOST_TOLD: usize = 1_000;

/// What was read, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Blobs that were read.
    pub blobs: u64,
    /// Bytes of those blobs.
    pub bytes: u64,
    /// Manifests that were read.
    pub manifests: u64,
    /// Faults, of which [`Verified::damage`] tells the first thousand.
    pub faults: u64,
    /// Faults that were repaired.
    pub repaired: u64,
    /// What is wrong.
    pub damage: Vec<Damage>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Damage {
    /// A blob's bytes have another digest. Repaired, it is set aside, so that the next push brings it back.
    BlobDamaged {
        /// The blob.
        digest: String,
    },
    /// A repository links a blob that is not there. Repaired, the link goes.
    BlobMissing {
        /// `account/repository`.
        repository: String,
        /// The blob.
        digest: String,
    },
    /// A manifest's bytes have another digest. It cannot be repaired but by a push.
    ManifestDamaged {
        /// `account/repository`.
        repository: String,
        /// The manifest.
        digest: String,
    },
    /// An image needs a blob that its repository does not link. It cannot be repaired but by a push.
    ImageIncomplete {
        /// `account/repository`.
        repository: String,
        /// The manifest.
        digest: String,
        /// The blob.
        blob: String,
    },
}

impl Verified {
    fn tell(&mut self, damage: Damage) {
        self.faults += 1;
        if self.damage.len() < MOST_TOLD {
            self.damage.push(damage);
        }
    }
}

impl ImageRegistry {
    /// Reads all blobs that repositories link and all manifests, and repairs what can be repaired if it is told to.
    ///
    /// It goes on for as long as reading takes, while everything else works on; what is pushed meanwhile may be left out.
    pub async fn verify(&self, repair: bool) -> Result<Verified, ImageError> {
        let mut verified = Verified::default();
        self.verify_blobs(repair, &mut verified).await?;
        self.verify_images(&mut verified).await?;
        Ok(verified)
    }

    async fn verify_blobs(&self, repair: bool, verified: &mut Verified) -> Result<(), ImageError> {
        // A blob that many repositories link is read once.
        let mut known: BTreeMap<String, Health> = BTreeMap::new();
        let mut after = None;
        loop {
            let page = self.tables.list::<BlobLink>("", Page { after, limit: PAGE }).await?;
            for link in &page.items {
                let Ok(digest) = link.digest.parse::<Digest>() else { continue };
                let health = if let Some(health) = known.get(&link.digest) {
                    *health
                } else {
                    let health = self.verify_blob(&digest, repair, link.size, verified).await?;
                    known.insert(link.digest.clone(), health);
                    health
                };
                if health == Health::Missing {
                    let repository = format!("{}/{}", link.account, link.repository);
                    verified.tell(Damage::BlobMissing { repository, digest: link.digest.clone() });
                    if repair && self.tables.delete(link).await.is_ok() {
                        verified.repaired += 1;
                    }
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn verify_blob(
        &self,
        digest: &Digest,
        repair: bool,
        size: u64,
        verified: &mut Verified,
    ) -> Result<Health, ImageError> {
        let health = self.blobs.check(digest).await?;
        if health != Health::Missing {
            verified.blobs += 1;
            verified.bytes += size;
        }
        if health == Health::Damaged {
            tracing::error!(%digest, "a blob is damaged");
            verified.tell(Damage::BlobDamaged { digest: digest.to_string() });
            if repair {
                self.blobs.set_aside(digest).await?;
                verified.repaired += 1;
            }
        }
        Ok(health)
    }

    async fn verify_images(&self, verified: &mut Verified) -> Result<(), ImageError> {
        let mut after = None;
        loop {
            let page = self.tables.list::<Image>("", Page { after, limit: PAGE }).await?;
            for image in &page.items {
                verified.manifests += 1;
                self.verify_image(image, verified).await?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn verify_image(&self, image: &Image, verified: &mut Verified) -> Result<(), ImageError> {
        let repository = || format!("{}/{}", image.account, image.repository);
        let expected: Option<Digest> = image.digest.parse().ok();
        let found = |digest: &Digest| Digest::by(digest.algorithm(), image.manifest.as_bytes());
        if expected.is_none_or(|expected| found(&expected) != expected) {
            verified.tell(Damage::ManifestDamaged { repository: repository(), digest: image.digest.clone() });
            return Ok(());
        }
        let Ok(document) = crate::Document::read(&image.manifest, Some(&image.media_type)) else {
            verified.tell(Damage::ManifestDamaged { repository: repository(), digest: image.digest.clone() });
            return Ok(());
        };
        for blob in document.required_blobs {
            let key = rows_of(&image.account, &image.repository) + &blob.digest;
            if self.tables.get::<BlobLink>(&key).await?.is_none() {
                let digest = image.digest.clone();
                let blob = blob.digest;
                verified.tell(Damage::ImageIncomplete { repository: repository(), digest, blob });
            }
        }
        Ok(())
    }
}
