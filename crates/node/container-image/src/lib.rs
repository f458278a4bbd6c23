//! Container images of a host: pull, verify, unpack, share and collect.
//!
//! [`Images`] is a directory of unpacked layers and of what is known about each image. A pull resolves the
//! reference at its registry, verifies every digest while the bytes stream by, unpacks each layer once into a
//! directory of its own (shared by every image that has it) and answers with an [`Image`]: the configuration and
//! the layer directories, lowest first, ready to be lower directories of an overlay.
//!
//! Promises: what a registry or an image author sends can neither write outside the layer's directory nor fill
//! the disk past the limits; a crash at any point leaves only leftovers that the next [`Images::open`] removes;
//! an image in use is never collected. It leaves mounting to `container-runtime`.
//!
//! [`build()`] makes small images from files of this machine, and [`push()`] uploads them: for the demo and for tests.

mod build;
mod config;
mod error;
mod images;
mod manifest;
mod options;
mod platform;
mod push;
mod unpack;

pub use build::{BuildError, BuiltImage, Content, build};
pub use config::{HealthCheck, ImageConfig};
pub use error::{ImagesError, LayerError, PullError};
pub use images::{Collected, Image, Images};
pub use manifest::{Descriptor, Manifest};
pub use options::{Limits, PullEvent, PullOptions, PullPolicy, PullProgress};
pub use platform::Platform;
pub use push::{PushError, push};
pub use registry_client::{
    BasicAuth, Digest, DigestError, LocalRegistry, Reference, ReferenceError, RegistryError,
};
pub use unpack::unpack_layer;
