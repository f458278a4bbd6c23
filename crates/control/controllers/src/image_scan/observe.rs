//! Reads the rows about an image.

use resources::ecr::{Image, ImageScan, Registry, Repository, Scanning, scanning_of};
use std::sync::Arc;
use store::{StoreError, Tables, Versioned};

/// What there is.
pub struct Observed {
    /// The image, unless it is gone.
    pub image: Option<Arc<Image>>,
    /// Its scan.
    pub scan: Option<Versioned<ImageScan>>,
    /// How its repository is scanned; `None` when there is no such repository.
    pub scanning: Option<Scanning>,
}

/// Reads the rows. Those of repository and registry are in memory, so this is cheap enough for every image.
pub async fn observe(tables: &Tables, key: &str) -> Result<Observed, StoreError> {
    let image = tables.get::<Image>(key).await?.map(|row| row.value);
    let scan = tables.get::<ImageScan>(key).await?;
    let mut scanning = None;
    if let Some(image) = &image {
        let repository = tables.get::<Repository>(&format!("{}/{}", image.account, image.repository)).await?;
        let registry = tables.get::<Registry>(image.account.as_str()).await?;
        let registry = registry.as_ref().map(|row| row.value.as_ref());
        scanning = repository.map(|repository| scanning_of(registry, &repository).0);
    }
    Ok(Observed { image, scan, scanning })
}
