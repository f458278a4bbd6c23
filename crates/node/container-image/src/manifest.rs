//! Manifests and indexes, OCI and docker schema 2, as registries send them.

use crate::platform::Platform;
use registry_client::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// OCI image manifest.
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI image index.
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Docker schema 2 manifest.
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker manifest list.
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// OCI image configuration.
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// OCI layer, gzip.
pub(crate) const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// A pointer to a blob or manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Type of the content.
    #[serde(default)]
    pub media_type: String,
    /// Digest of the content.
    pub digest: Digest,
    /// Length of the content in bytes.
    pub size: u64,
    /// Platform, in indexes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Free notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// The manifest of one image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// Type of this document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The image configuration.
    pub config: Descriptor,
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
}

/// A document found under a reference.
pub(crate) enum Document {
    Image(Manifest),
    Index(Vec<Descriptor>),
}

/// Why a document is not one we can run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocumentError {
    #[error("the manifest is not valid JSON of its type: {0}")]
    Json(#[from] serde_json::Error),
    #[error("unsupported manifest schema version {0}")]
    Schema(u32),
    #[error("unsupported manifest media type {0:?}")]
    MediaType(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    schema_version: u32,
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    layers: Option<serde::de::IgnoredAny>,
}

impl Document {
    /// Reads a manifest or index; `content_type` is what the registry called it, used when the document is
    /// silent. A document that is both at once is refused, as two readers could understand it differently.
    pub(crate) fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self, DocumentError> {
        let outline: Outline = serde_json::from_slice(bytes)?;
        if outline.schema_version != 2 {
            return Err(DocumentError::Schema(outline.schema_version));
        }
        let named = outline.media_type.as_deref().or(content_type).unwrap_or_default();
        let named = named.split(';').next().unwrap_or_default().trim();
        match (named, outline.manifests, outline.layers) {
            (OCI_INDEX | DOCKER_LIST | "" | "application/json", Some(manifests), None) => {
                Ok(Self::Index(manifests))
            }
            (OCI_MANIFEST | DOCKER_MANIFEST | "" | "application/json", None, Some(_)) => {
                Ok(Self::Image(serde_json::from_slice(bytes)?))
            }
            (other, _, _) => Err(DocumentError::MediaType(other.to_owned())),
        }
    }
}

/// The entry of an index that suits `wanted` best; attestations and other non-images are passed over.
pub(crate) fn select<'a>(manifests: &'a [Descriptor], wanted: &Platform) -> Option<&'a Descriptor> {
    manifests
        .iter()
        .filter(|entry| matches!(entry.media_type.as_str(), OCI_MANIFEST | DOCKER_MANIFEST | ""))
        .filter_map(|entry| Some((entry.platform.as_ref()?.suits(wanted)?, entry)))
        // The first of equals wins, as everywhere else.
        .rev()
        .max_by_key(|(suits, _)| *suits)
        .map(|(_, entry)| entry)
}

/// Whether a media type is that of a layer we can unpack. How it is compressed is seen from its first bytes.
pub(crate) fn is_layer(media_type: &str) -> bool {
    let kinds = [
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
    ];
    kinds.iter().any(|kind| {
        media_type
            .strip_prefix(kind)
            .is_some_and(|rest| matches!(rest, "" | "+gzip" | "+zstd" | ".gzip" | ".zstd"))
    })
}

/// Whether a layer is one that registries need not have. It is never fetched from elsewhere: an address in a manifest is
/// its author's wish, and what lies there is nobody's promise.
pub(crate) fn is_foreign(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.oci.image.layer.nondistributable.")
        || media_type.starts_with("application/vnd.docker.image.rootfs.foreign.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(architecture: &str, variant: Option<&str>, digit: char) -> Descriptor {
        Descriptor {
            media_type: OCI_MANIFEST.to_owned(),
            digest: format!("sha256:{}", digit.to_string().repeat(64)).parse().expect("a digest"),
            size: 1,
            platform: Some(Platform {
                os: "linux".to_owned(),
                architecture: architecture.to_owned(),
                variant: variant.map(str::to_owned),
            }),
            annotations: BTreeMap::new(),
        }
    }

    #[test]
    fn the_best_platform_is_chosen() {
        let wanted = |architecture: &str| Platform {
            os: "linux".to_owned(),
            architecture: architecture.to_owned(),
            variant: None,
        };
        let all = [
            entry("unknown", None, '0'),
            entry("arm64", Some("v8"), '1'),
            entry("amd64", None, '2'),
            entry("amd64", None, '3'),
        ];
        assert_eq!(select(&all, &wanted("amd64")), Some(&all[2]));
        assert_eq!(select(&all, &wanted("arm64")), Some(&all[1]));
        assert_eq!(select(&all, &wanted("s390x")), None);
    }

    #[test]
    fn documents_that_are_two_things_are_refused() {
        let digest = Digest::of(b"");
        let both = format!(
            r#"{{"schemaVersion":2,"manifests":[],"layers":[],"config":{{"digest":"{digest}","size":0}}}}"#
        );
        assert!(Document::parse(both.as_bytes(), Some(OCI_INDEX)).is_err());
        assert!(Document::parse(br#"{"schemaVersion":1}"#, None).is_err());
        assert!(Document::parse(br#"{"schemaVersion":2,"manifests":[]}"#, Some(OCI_MANIFEST)).is_err());
        assert!(Document::parse(br#"{"schemaVersion":2,"manifests":[]}"#, Some(OCI_INDEX)).is_ok());
    }
}
