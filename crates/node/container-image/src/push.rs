//! Uploads a built image to a registry.

use crate::build::BuiltImage;
use crate::manifest::OCI_MANIFEST;
use crate::options::{Limits, PullOptions};
use environment::Environment;
use registry_client::Digest;
use registry_client::RegistryError;
use registry_client::{Client, Repository};
use registry_client::{Reference, ReferenceError};

/// An upload that did not complete.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// The text is not a reference.
    #[error("{0}")]
    Reference(#[from] ReferenceError),
    /// The registry refused or failed.
    #[error("pushing {reference}: {cause}")]
    Registry {
        /// Where to.
        reference: Reference,
        /// The failure.
        cause: RegistryError,
    },
}

/// Uploads the blobs the registry does not have yet, then the manifest under the reference's tag; answers with
/// the manifest's digest. Of the options the credentials and the ways to reach registries count.
pub async fn push(
    image: &BuiltImage,
    reference: &str,
    options: &PullOptions,
    environment: &Environment,
) -> Result<Digest, PushError> {
    let reference: Reference = reference.parse()?;
    let repository = Repository::new(&reference, &options.reach());
    let client = Client::new(environment.clone(), Limits::default().stall);
    let upload = async {
        for (digest, bytes) in &image.blobs {
            client.upload(&repository, digest, bytes.clone()).await?;
        }
        client.put_manifest(&repository, &reference.target(), OCI_MANIFEST, image.manifest.clone()).await
    };
    match upload.await {
        Ok(()) => Ok(image.digest.clone()),
        Err(cause) => Err(PushError::Registry { reference, cause }),
    }
}
