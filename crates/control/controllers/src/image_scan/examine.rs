//! Reads the packages of an image from its layers.

use super::ImageScanError;
use blob_store::{BlobError, BlobRange, BlobStore, Digest};
use futures::TryStreamExt;
use image_packages::{Inventory, Limits, ReadError, Reader};
use resources::ecr::Image;
use serde::Deserialize;
use std::io::{self, Read};
use tokio_util::io::{StreamReader, SyncIoBridge};
use tokio_util::sync::CancellationToken;

/// Largest configuration that is read.
const LARGEST_CONFIGURATION: u64 = 4 << 20;

/// What of a manifest matters.
#[derive(Deserialize)]
pub struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
}

/// What of a configuration matters.
#[derive(Default, Deserialize)]
pub struct Configuration {
    /// Architecture.
    pub architecture: Option<String>,
    /// Author.
    pub author: Option<String>,
}

/// Why an image has no inventory.
#[derive(Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is not an image that can be read.
    Unsupported(String),
    /// It is too large.
    LimitExceeded(String),
    /// It is not whole.
    Failed(String),
}

impl Manifest {
    /// The manifest of an image; `None` when it is of another form.
    pub fn of(image: &Image) -> Option<Self> {
        serde_json::from_str(&image.manifest).ok()
    }

    /// Digest of the layer with a number.
    pub fn layer(&self, number: usize) -> &str {
        self.layers.get(number).map_or("", |layer| layer.digest.as_str())
    }

    /// The configuration, or an empty one where it cannot be read.
    pub async fn configuration(&self, blobs: &BlobStore) -> Configuration {
        let Ok(digest) = self.config.digest.parse::<Digest>() else { return Configuration::default() };
        match blobs.read_all(&digest, LARGEST_CONFIGURATION).await {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_default(),
            Err(_) => Configuration::default(),
        }
    }

    /// Reads the layers, from the lowest to the highest.
    pub async fn packages(
        &self,
        blobs: &BlobStore,
        stop: &CancellationToken,
    ) -> Result<Result<Inventory, Unreadable>, ImageScanError> {
        let mut reader = Reader::new(Limits::default());
        for layer in &self.layers {
            let missing =
                || Unreadable::Failed(format!("The layer {} is not in the registry.", layer.digest));
            let Ok(digest) = layer.digest.parse::<Digest>() else { return Ok(Err(missing())) };
            let blob = match blobs.read(&digest, BlobRange::All).await {
                Ok(blob) => blob,
                Err(BlobError::NotFound(_)) => return Ok(Err(missing())),
                Err(error) => return Err(error.into()),
            };
            let content = SyncIoBridge::new(StreamReader::new(blob.stream.map_err(io::Error::other)));
            let content = Stoppable { content, stop: stop.clone() };
            let read = tokio::task::spawn_blocking(move || {
                let read = reader.layer(content);
                (reader, read)
            });
            let result;
            (reader, result) = read.await.map_err(|error| ImageScanError::Crashed(error.to_string()))?;
            match result {
                Ok(()) => {}
                Err(_) if stop.is_cancelled() => return Err(ImageScanError::Stopped),
                Err(error @ ReadError::LimitExceeded { .. }) => {
                    return Ok(Err(Unreadable::LimitExceeded(error.to_string())));
                }
                Err(error @ ReadError::Unsupported { .. }) => {
                    return Ok(Err(Unreadable::Unsupported(error.to_string())));
                }
                Err(ReadError::Io { error, .. }) => {
                    tracing::warn!(%error, layer = layer.digest, "cannot read a layer");
                    return Ok(Err(Unreadable::Failed(format!(
                        "The layer {} cannot be read.",
                        layer.digest
                    ))));
                }
            }
        }
        Ok(Ok(reader.finish()))
    }
}

/// Ends when the region stops.
struct Stoppable<R> {
    content: R,
    stop: CancellationToken,
}

impl<R: Read> Read for Stoppable<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_cancelled() {
            return Err(io::Error::other("stopped"));
        }
        self.content.read(buffer)
    }
}
