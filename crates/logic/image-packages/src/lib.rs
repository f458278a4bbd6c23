//! Which software packages are in a container image, read layer by layer as streams.
//!
//! A [`Reader`] takes the layers from the lowest to the highest and gives an [`Inventory`]: whiteouts and opaque
//! directories are honoured, and a file of a higher layer stands in for the same file below. Nothing is unpacked, nothing
//! is written, and nothing of the image is trusted: every size, count, depth and ratio has a limit in [`Limits`], and what
//! does not parse is left out rather than guessed. Advisories are not known here.

mod binaries;
mod budget;
mod compression;
mod elements;
mod formats;
mod inventory;
mod layers;
mod limits;
mod places;
mod purl;
mod tar_stream;
mod zip_stream;

pub use elements::{FileFormat, parse_file};
pub use inventory::{Distribution, Ecosystem, Inventory, Package, Source};
pub use layers::Reader;
pub use limits::{Limits, ReadError};

#[cfg(test)]
mod tests;
