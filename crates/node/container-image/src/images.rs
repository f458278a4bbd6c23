//! The image directory of a host.

use crate::config::ImageConfig;
use crate::digest::Digest;
use crate::error::{ImagesError, PullError};
use crate::options::{Limits, PullOptions};
use environment::Environment;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// All images of a host; cheap to clone. One process at a time opens a directory.
#[derive(Clone)]
pub struct Images(#[expect(dead_code, reason = "signatures first")] Arc<()>);

/// An image that is here. While a value of this type lives, its layers are not collected; to keep them longer,
/// past the life of this process too, [`Images::hold`] it.
#[derive(Clone, Debug)]
pub struct Image {
    /// Digest of the image manifest.
    pub digest: Digest,
    /// What the reference resolved to: the index's digest for an image of several platforms, else the
    /// manifest's. This is what ECS shows as `imageDigest`.
    pub resolved: Digest,
    /// How to run it.
    pub config: Arc<ImageConfig>,
    /// The unpacked layers, lowest first. To be mounted read-only; never written to.
    pub layers: Arc<[PathBuf]>,
    /// Bytes of file content of all layers.
    pub unpacked_bytes: u64,
}

/// What a collection removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Images forgotten.
    pub images: usize,
    /// Layer directories removed.
    pub layers: usize,
    /// Bytes of file content in those layers.
    pub bytes: u64,
}

#[expect(clippy::todo, unused_variables, reason = "signatures first")]
impl Images {
    /// Opens the image directory, makes it if needed and removes what an interrupted pull left there.
    pub async fn open(directory: &Path, environment: Environment) -> Result<Self, ImagesError> {
        todo!()
    }

    /// [`Self::open`] with bounds other than the default ones.
    pub async fn open_with_limits(
        directory: &Path,
        limits: Limits,
        environment: Environment,
    ) -> Result<Self, ImagesError> {
        todo!()
    }

    /// Makes the image of `reference` present. Concurrent pulls share the layers they have in common.
    pub async fn pull(&self, reference: &str, options: &PullOptions) -> Result<Image, PullError> {
        todo!()
    }

    /// Keeps the image from being collected until [`Self::release`], across restarts. `holder` is a container's
    /// or task's id; holding again replaces what the holder held.
    pub async fn hold(&self, image: &Image, holder: &str) -> Result<(), ImagesError> {
        todo!()
    }

    /// Ends what `holder` held; nothing happens when it held nothing.
    pub async fn release(&self, holder: &str) -> Result<(), ImagesError> {
        todo!()
    }

    /// Everyone who holds an image, to find those that are gone.
    pub fn holders(&self) -> Vec<String> {
        todo!()
    }

    /// The image that `holder` holds, to start its container again after a restart.
    pub fn held_by(&self, holder: &str) -> Option<Image> {
        todo!()
    }

    /// Removes images that nobody holds and that no pull asked for during `unused_for`, and layers without image.
    pub async fn collect(&self, unused_for: Duration) -> Result<Collected, ImagesError> {
        todo!()
    }
}
