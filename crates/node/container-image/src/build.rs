//! Makes an image out of files of this machine: one layer, a configuration, a manifest.

use crate::config::ImageConfig;
use crate::digest::Digest;
use crate::manifest::Manifest;
use bytes::Bytes;
use std::path::PathBuf;

/// One thing to put into the image. Paths in the image are absolute.
#[derive(Clone, Debug)]
pub enum Content {
    /// A file of this machine.
    File {
        /// Where it goes.
        path: String,
        /// What to copy; a symbolic link is followed.
        source: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// A file with this text.
    Bytes {
        /// Where it goes.
        path: String,
        /// Its content.
        content: Bytes,
        /// Permission bits.
        mode: u32,
    },
    /// An empty directory.
    Directory {
        /// Where it goes.
        path: String,
        /// Permission bits.
        mode: u32,
    },
    /// A symbolic link.
    Symlink {
        /// Where it goes.
        path: String,
        /// What it points to.
        target: String,
    },
}

/// A whole image in memory, ready for [`crate::push::push`].
#[derive(Clone, Debug)]
pub struct BuiltImage {
    /// The manifest document, and its digest.
    pub manifest: Bytes,
    /// Digest of the manifest.
    pub digest: Digest,
    /// The manifest, read.
    pub document: Manifest,
    /// The blobs the manifest names: configuration and layers.
    pub blobs: Vec<(Digest, Bytes)>,
}

/// A file that could not go into the image.
#[derive(Debug, thiserror::Error)]
#[error("adding {path} to the image")]
pub struct BuildError {
    path: String,
    source: std::io::Error,
}

/// Builds an image of one gzip layer. The same input gives the same digests: entries are written in the order
/// given, owned by root, dated 1970, and parent directories are added where needed. Reads files; call it off the async threads.
#[expect(clippy::todo, unused_variables, reason = "signatures first")]
pub fn build(content: &[Content], config: &ImageConfig) -> Result<BuiltImage, BuildError> {
    todo!()
}
