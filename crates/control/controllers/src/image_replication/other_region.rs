//! Pushes an image to the registry of another region: blobs in pieces, then the manifests, then the tags.

use super::{Failure, MOST_LEVELS};
use blob_store::BlobRange;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::{HeaderName, HeaderValue, StatusCode};
use image_registry::ImageRegistry;
use registry_client::{BasicAuth, Client, Digest, RegistryError, Repository};
use resources::ecr::{Image, ImageReplication, ImageTag, rows_of};
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a blob that are sent, and held, at a time.
const PIECE: usize = 8 << 20;
/// Longest silence of the other region.
const STALL: Duration = Duration::from_secs(60);
/// The header that makes a push a copy, and names the account that it is for.
const REPLICATE_TO: HeaderName = HeaderName::from_static("longshore-replicate-to");

/// Where other regions are, and who we are there.
#[async_trait::async_trait]
pub trait OtherRegions: Send + Sync {
    /// A region, with a password for its registry; `None` when nobody said where it is. With `refused` the password that
    /// was given out last is not taken any more.
    async fn reach(&self, region: &str, refused: bool) -> Result<Option<Reached>, Unreachable>;
}

/// A region that images are pushed to.
#[derive(Clone)]
pub struct Reached {
    /// `https://region.example`.
    pub endpoint: String,
    /// User and password of its registry.
    pub user: (String, String),
}

/// Why a region gives no password.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// It says that nobody may have one with the key there is.
    #[error("{0}")]
    Denied(String),
    /// It does not answer, or there is no key.
    #[error("{0}")]
    Failed(String),
}

/// Copies to other regions.
pub(super) struct OtherRegion {
    images: ImageRegistry,
    regions: Arc<dyn OtherRegions>,
    client: Client,
}

impl OtherRegion {
    pub(super) fn new(images: ImageRegistry, regions: Arc<dyn OtherRegions>) -> Self {
        let client = Client::new(images.tables().environment().clone(), STALL);
        Self { images, regions, client }
    }

    /// Makes a copy with all tags that the image has now.
    pub(super) async fn copy(&self, copy: &ImageReplication, image: &Image) -> Result<(), Failure> {
        let mut refused = false;
        loop {
            let reached = self.regions.reach(&copy.region, refused).await.map_err(|error| match error {
                Unreachable::Denied(_) => Failure::Final("AccessDenied"),
                Unreachable::Failed(reason) => Failure::OtherRegion(reason),
            })?;
            let reached = reached.ok_or(Failure::Final("UnknownRegion"))?;
            let (username, password) = reached.user;
            let auth = BasicAuth { username, password };
            let target = Repository::at(&reached.endpoint, &copy.repository, Some(auth));
            // Twelve digits always fit into a header.
            let account = HeaderValue::from_str(copy.destination.as_str())
                .map_err(|_| Failure::Final("UnknownRegistry"))?;
            match self.push_all(&target.with_header(REPLICATE_TO, account), image).await {
                // A password that has ended, or whose key has, is asked for anew, once.
                Err(Pushing::Refused) if !refused => refused = true,
                Err(Pushing::Refused) => return Err(Failure::Final("AccessDenied")),
                Err(Pushing::Failed(failure)) => return Err(failure),
                Ok(()) => return Ok(()),
            }
        }
    }

    async fn push_all(&self, target: &Repository, image: &Image) -> Result<(), Pushing> {
        self.push_image(target, image, MOST_LEVELS).await?;
        let rows = rows_of(&image.account, &image.repository);
        let tags = self.images.tables().list_all::<ImageTag>(&rows).await?;
        for tag in tags.iter().filter(|tag| tag.digest == image.digest) {
            self.push_manifest(target, image, &tag.tag).await?;
        }
        Ok(())
    }

    /// An image with what it names: the manifests of an index first.
    async fn push_image(&self, target: &Repository, image: &Image, levels: usize) -> Result<(), Pushing> {
        for child in &image.children {
            let key = rows_of(&image.account, &image.repository) + child;
            let Some(child) = self.images.tables().get::<Image>(&key).await? else { continue };
            if levels == 0 {
                return Err(Pushing::Failed(Failure::Final("ManifestTooDeep")));
            }
            Box::pin(self.push_image(target, &child, levels - 1)).await?;
        }
        for blob in &image.blobs {
            let (Ok(digest), Ok(there)) = (blob.parse::<blob_store::Digest>(), blob.parse::<Digest>()) else {
                continue;
            };
            // Layers that were never to be pushed are not here.
            let link = self.images.link(&image.account, &image.repository, &digest).await?;
            if link.is_some() && !self.client.has_blob(target, &there).await? {
                self.push_blob(target, &digest, &there).await?;
            }
        }
        self.push_manifest(target, image, &image.digest).await
    }

    async fn push_blob(
        &self,
        target: &Repository,
        digest: &blob_store::Digest,
        there: &Digest,
    ) -> Result<(), Pushing> {
        let mut content = self.images.blobs().read(digest, BlobRange::All).await?.stream;
        let mut upload = self.client.begin_upload(target).await?;
        let mut piece = BytesMut::new();
        while let Some(bytes) = content.next().await {
            piece.extend_from_slice(&bytes?);
            if piece.len() >= PIECE {
                self.client.send_piece(target, &mut upload, piece.split().freeze()).await?;
            }
        }
        Ok(self.client.finish_upload(target, upload, there, piece.freeze()).await?)
    }

    async fn push_manifest(&self, target: &Repository, image: &Image, name: &str) -> Result<(), Pushing> {
        let content = Bytes::copy_from_slice(image.manifest.as_bytes());
        Ok(self.client.put_manifest(target, name, &image.media_type, content).await?)
    }
}

/// Why a push was not made.
enum Pushing {
    /// The password is not taken.
    Refused,
    Failed(Failure),
}

impl From<RegistryError> for Pushing {
    fn from(error: RegistryError) -> Self {
        Self::Failed(match error {
            RegistryError::Denied { status: StatusCode::UNAUTHORIZED, .. } => return Self::Refused,
            RegistryError::Denied { .. } => Failure::Final("AccessDenied"),
            // What is copied was taken here, so that all that is wrong with it is a tag that stays elsewhere.
            RegistryError::Status { status: StatusCode::BAD_REQUEST, method: "Put", ref url }
                if url.contains("/manifests/") =>
            {
                Failure::Final("ImageTagAlreadyExists")
            }
            error => Failure::OtherRegion(error.to_string()),
        })
    }
}

impl From<image_registry::ImageError> for Pushing {
    fn from(error: image_registry::ImageError) -> Self {
        Self::Failed(Failure::Region(error))
    }
}

impl From<store::StoreError> for Pushing {
    fn from(error: store::StoreError) -> Self {
        Self::Failed(Failure::Region(error.into()))
    }
}

impl From<blob_store::BlobError> for Pushing {
    fn from(error: blob_store::BlobError) -> Self {
        Self::Failed(Failure::Region(error.into()))
    }
}
