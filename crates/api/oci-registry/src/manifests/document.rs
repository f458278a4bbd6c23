//! What a manifest says: its kind, and what it names.

use crate::blobs;
use crate::error::RegistryError;
use serde_json::Value;

pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Layers that were never to be pushed may be missing.
const FOREIGN: [&str; 2] = [".image.rootfs.foreign.", ".layer.nondistributable."];
/// Most layers or manifests that one document may name.
const MOST_DESCRIPTORS: usize = 10_000;

/// A manifest or index, as far as the registry cares.
pub(super) struct Document {
    pub(super) media_type: String,
    pub(super) artifact_type: Option<String>,
    pub(super) size: u64,
    /// Configuration and layers.
    pub(super) blobs: Vec<String>,
    /// Those of them that must be there.
    pub(super) required_blobs: Vec<String>,
    pub(super) children: Vec<String>,
    pub(super) subject: Option<String>,
}

impl Document {
    pub(super) fn read(text: &str, content_type: Option<&str>) -> Result<Self, RegistryError> {
        let invalid = |text: &str| RegistryError::ManifestInvalid(text.to_owned());
        let value: Value = serde_json::from_str(text)
            .map_err(|error| invalid(&format!("the manifest is not JSON: {error}")))?;
        if value["schemaVersion"] != 2 {
            return Err(invalid("only schema version 2 is supported"));
        }
        let own = value["mediaType"].as_str();
        let sent = content_type.map(|sent| sent.split(';').next().unwrap_or(sent).trim());
        let media_type = own.or(sent).unwrap_or(OCI_MANIFEST);
        if own.is_some_and(|own| sent.is_some_and(|sent| sent != own)) {
            return Err(invalid("the manifest's mediaType is not its Content-Type"));
        }
        let mut document = Self {
            media_type: media_type.to_owned(),
            artifact_type: value["artifactType"].as_str().map(str::to_owned),
            size: 0,
            blobs: Vec::new(),
            required_blobs: Vec::new(),
            children: Vec::new(),
            subject: value["subject"].as_object().map(|_| digest_of(&value["subject"])).transpose()?,
        };
        match media_type {
            OCI_MANIFEST | DOCKER_MANIFEST => document.read_manifest(&value)?,
            OCI_INDEX | DOCKER_LIST => document.read_index(&value)?,
            other => return Err(invalid(&format!("manifests of type {other} are not supported"))),
        }
        Ok(document)
    }

    fn read_manifest(&mut self, value: &Value) -> Result<(), RegistryError> {
        let config = &value["config"];
        if !config.is_object() {
            return Err(RegistryError::ManifestInvalid("the manifest has no config".to_owned()));
        }
        if self.artifact_type.is_none() {
            self.artifact_type = config["mediaType"].as_str().map(str::to_owned);
        }
        for descriptor in std::iter::once(config).chain(list(&value["layers"])?) {
            let digest = digest_of(descriptor)?;
            let media_type = descriptor["mediaType"].as_str().unwrap_or_default();
            self.size = self.size.saturating_add(descriptor["size"].as_u64().unwrap_or(0));
            if !FOREIGN.iter().any(|foreign| media_type.contains(foreign)) {
                self.required_blobs.push(digest.clone());
            }
            self.blobs.push(digest);
        }
        Ok(())
    }

    fn read_index(&mut self, value: &Value) -> Result<(), RegistryError> {
        for descriptor in list(&value["manifests"])? {
            self.children.push(digest_of(descriptor)?);
        }
        Ok(())
    }
}

fn list(value: &Value) -> Result<&[Value], RegistryError> {
    let items =
        value.as_array().ok_or_else(|| RegistryError::ManifestInvalid("a list is missing".to_owned()))?;
    if items.len() > MOST_DESCRIPTORS {
        return Err(RegistryError::ManifestInvalid(format!("more than {MOST_DESCRIPTORS} descriptors")));
    }
    Ok(items)
}

fn digest_of(descriptor: &Value) -> Result<String, RegistryError> {
    let text = descriptor["digest"].as_str();
    let text = text.ok_or_else(|| RegistryError::ManifestInvalid("a descriptor has no digest".to_owned()))?;
    Ok(blobs::parse(text)?.to_string())
}
