//! What a manifest says: its kind, and what it names.

use crate::ImageError;
use blob_store::Digest;
use serde_json::Value;

/// Media type of an index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Layers that were never to be pushed may be missing.
const FOREIGN: [&str; 2] = [".image.rootfs.foreign.", ".layer.nondistributable."];
/// Most layers or manifests that one document may name.
const MOST_DESCRIPTORS: usize = 10_000;

/// A manifest or index, as far as the registry cares.
pub struct Document {
    /// Its media type.
    pub media_type: String,
    /// `artifactType`, or the media type of the configuration.
    pub artifact_type: Option<String>,
    /// Bytes of configuration and layers.
    pub size: u64,
    /// Configuration and layers.
    pub blobs: Vec<String>,
    /// Those of them that must be there.
    pub required_blobs: Vec<String>,
    /// The manifests of an index.
    pub children: Vec<String>,
    /// The manifest that it refers to.
    pub subject: Option<String>,
}

impl Document {
    /// Reads a manifest. `content_type` is what the client says that it is.
    pub fn read(text: &str, content_type: Option<&str>) -> Result<Self, ImageError> {
        let invalid = |text: &str| ImageError::ManifestInvalid(text.to_owned());
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

    fn read_manifest(&mut self, value: &Value) -> Result<(), ImageError> {
        let config = &value["config"];
        if !config.is_object() {
            return Err(ImageError::ManifestInvalid("the manifest has no config".to_owned()));
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

    fn read_index(&mut self, value: &Value) -> Result<(), ImageError> {
        for descriptor in list(&value["manifests"])? {
            self.children.push(digest_of(descriptor)?);
        }
        Ok(())
    }
}

fn list(value: &Value) -> Result<&[Value], ImageError> {
    let items =
        value.as_array().ok_or_else(|| ImageError::ManifestInvalid("a list is missing".to_owned()))?;
    if items.len() > MOST_DESCRIPTORS {
        return Err(ImageError::ManifestInvalid(format!("more than {MOST_DESCRIPTORS} descriptors")));
    }
    Ok(items)
}

fn digest_of(descriptor: &Value) -> Result<String, ImageError> {
    let text = descriptor["digest"].as_str();
    let text = text.ok_or_else(|| ImageError::ManifestInvalid("a descriptor has no digest".to_owned()))?;
    let digest: Digest =
        text.parse().map_err(|_| ImageError::ManifestInvalid(format!("not a digest: {text}")))?;
    Ok(digest.to_string())
}
