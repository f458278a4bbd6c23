//! How much an image may ask of a scan, and what a scan says when it asks for more.

use std::io;

/// Limits of one image. The defaults are far above what real images need.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of all layers and archives in them, decompressed.
    pub bytes: u64,
    /// Decompressed bytes from which on [`Limits::ratio`] is looked at; small files may compress well.
    pub ratio_from: u64,
    /// Most decompressed bytes for each compressed one.
    pub ratio: u64,
    /// Entries of all layers and archives.
    pub entries: u64,
    /// Packages.
    pub packages: usize,
    /// Bytes of one package database or one file that describes a package; larger ones are an error, since packages
    /// would be missed.
    pub file: u64,
    /// Archives within archives.
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 32 << 30,
            ratio_from: 1 << 30,
            ratio: 200,
            entries: 4_000_000,
            packages: 100_000,
            file: 256 << 20,
            depth: 4,
        }
    }
}

/// Why an image could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It asks for more than a limit allows.
    #[error("the image is too large to scan: more than {limit} {what}")]
    LimitExceeded {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// A layer is no tar stream, or a damaged one.
    #[error("layer {layer} is not a readable tar stream: {reason}")]
    Unsupported {
        /// Its number from the lowest, which is 0.
        layer: usize,
        /// What is wrong.
        reason: String,
    },
    /// The layer's bytes could not be had.
    #[error("reading layer {layer}: {error}")]
    Io {
        /// Its number from the lowest, which is 0.
        layer: usize,
        /// The source's error.
        error: io::Error,
    },
}
