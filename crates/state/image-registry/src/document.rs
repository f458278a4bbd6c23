//! What a manifest says: its kind, and what it names.

use crate::ImageError;
use blob_store::Digest;
use serde_json::Value;

/// OCI index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Largest manifest, as the specification recommends to take at least.
pub const MOST_MANIFEST_BYTES: usize = 4 * 1024 * 1024;
/// Layers that were never to be pushed may be missing.
const FOREIGN: [&str; 2] = [".image.rootfs.foreign.", ".layer.nondistributable."];
/// Most layers or manifests that one document may name; they are written down in one transaction.
const MOST_DESCRIPTORS: usize = 1_000;
/// How deep indexes may go.
pub(crate) const MOST_DEPTH: usize = 8;

/// A manifest or index, as far as a registry cares.
#[derive(Debug)]
pub struct Document {
    /// Its type.
    pub media_type: String,
    /// `artifactType`, or the media type of the configuration.
    pub artifact_type: Option<String>,
    /// Bytes of its configuration and layers.
    pub size: u64,
    /// Configuration and layers.
    pub blobs: Vec<String>,
    /// Those of them that must be there.
    pub required_blobs: Vec<Descriptor>,
    /// Manifests of an index.
    pub children: Vec<String>,
    /// Manifest it refers to.
    pub subject: Option<String>,
    /// It says itself of which type it is.
    pub says_its_type: bool,
}

/// A blob that a manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Its digest.
    pub digest: String,
    /// Its size, where it is said.
    pub size: Option<u64>,
}

/// Whether a media type is that of an index.
pub fn is_index(media_type: &str) -> bool {
    matches!(media_type, OCI_INDEX | DOCKER_LIST)
}

/// Whether a tag may be one: up to 128 letters, digits, `_`, `.` and `-`, not beginning with the last two.
pub fn is_tag(tag: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=128).contains(&tag.len())
        && tag.bytes().next().is_some_and(plain)
        && tag.bytes().all(|b| plain(b) || b == b'.' || b == b'-')
}

/// Whether a manifest says itself of which media type it is.
pub fn says_its_type(manifest: &str) -> bool {
    let document: Value = serde_json::from_str(manifest).unwrap_or_default();
    document["mediaType"].is_string()
}

impl Document {
    /// Reads a manifest; `content_type` is what its sender says it is.
    pub fn read(text: &str, content_type: Option<&str>) -> Result<Self, ImageError> {
        let invalid = |text: &str| ImageError::ManifestInvalid(text.to_owned());
        if text.len() > MOST_MANIFEST_BYTES {
            return Err(invalid(&format!("the manifest is larger than {MOST_MANIFEST_BYTES} bytes")));
        }
        let value: Value = serde_json::from_str(text)
            .map_err(|error| invalid(&format!("the manifest is not JSON: {error}")))?;
        if value["schemaVersion"] != 2 {
            return Err(invalid("only schema version 2 is supported"));
        }
        let own = value["mediaType"].as_str();
        let sent = content_type.map(|sent| sent.split(';').next().unwrap_or(sent).trim());
        // What clients send when they do not know better says nothing.
        let sent = sent.filter(|sent| !matches!(*sent, "" | "application/json" | "application/octet-stream"));
        let guess = if value["manifests"].is_array() { OCI_INDEX } else { OCI_MANIFEST };
        let media_type = own.or(sent).unwrap_or(guess);
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
            says_its_type: own.is_some(),
        };
        // A document that is both could be understood in two ways by two readers.
        if value["manifests"].is_array() && (value["layers"].is_array() || value["config"].is_object()) {
            return Err(invalid("the document is a manifest and an index at once"));
        }
        match media_type {
            OCI_MANIFEST | DOCKER_MANIFEST => document.read_manifest(&value)?,
            OCI_INDEX | DOCKER_LIST => document.read_index(&value)?,
            other => {
                let other: String = other.chars().take(200).collect();
                return Err(invalid(&format!("manifests of type {other} are not supported")));
            }
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
            let size = descriptor["size"].as_u64();
            self.size = self.size.saturating_add(size.unwrap_or(0));
            if !FOREIGN.iter().any(|foreign| media_type.contains(foreign)) {
                self.required_blobs.push(Descriptor { digest: digest.clone(), size });
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
    let digest = text.parse::<Digest>().map_err(|error| ImageError::ManifestInvalid(error.to_string()))?;
    Ok(digest.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::Environment;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn kinds_are_told_apart() {
        let manifest = format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"c","digest":"{DIGEST}","size":3}},"layers":[
                {{"mediaType":"application/vnd.oci.image.layer.nondistributable.v1.tar","digest":"{DIGEST}","size":4}}]}}"#
        );
        let document = Document::read(&manifest, Some("application/json; charset=utf-8")).expect("reads");
        assert_eq!((document.media_type.as_str(), document.size), (OCI_MANIFEST, 7));
        assert_eq!((document.blobs.len(), document.required_blobs.len()), (2, 1));
        assert_eq!(document.artifact_type.as_deref(), Some("c"));
        let index = r#"{"schemaVersion":2,"manifests":[]}"#;
        assert_eq!(Document::read(index, None).expect("reads").media_type, OCI_INDEX);
        assert!(Document::read(index, Some(OCI_MANIFEST)).is_err());
        for wrong in [
            "",
            "[]",
            "null",
            r#"{"schemaVersion":1}"#,
            r#"{"schemaVersion":2}"#,
            r#"{"schemaVersion":2,"manifests":[{}]}"#,
            r#"{"schemaVersion":2,"manifests":[{"digest":"sha256:1"}]}"#,
            r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#,
            r#"{"schemaVersion":2,"mediaType":"application/vnd.other","config":{},"layers":[]}"#,
        ] {
            assert!(Document::read(wrong, None).is_err(), "{wrong}");
        }
        assert!(Document::read(&"[".repeat(200_000), None).is_err(), "depth has a limit");
        let many = vec![format!(r#"{{"digest":"{DIGEST}"}}"#); MOST_DESCRIPTORS + 1].join(",");
        let many = format!(r#"{{"schemaVersion":2,"manifests":[{many}]}}"#);
        assert!(Document::read(&many, None).is_err(), "breadth has a limit");
    }

    /// Whatever bytes arrive, they are read or refused: nothing panics, and what is read names digests only.
    #[test]
    fn mutated_documents_are_read_or_refused() {
        let seed = format!(
            r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","artifactType":"a/b","config":{{"mediaType":"x","digest":"{DIGEST}","size":0}},
               "layers":[{{"mediaType":"y","digest":"{DIGEST}","size":18446744073709551615}}],"subject":{{"digest":"{DIGEST}"}}}}"#
        );
        let (environment, _) = Environment::simulated(environment::Timestamp::from_seconds(1), 7);
        let random = |most: usize| {
            let mut bytes = [0; 8];
            environment.fill_random(&mut bytes);
            (u64::from_le_bytes(bytes) % most.max(1) as u64) as usize
        };
        let mut read = 0;
        for _ in 0..20_000 {
            let mut bytes = seed.clone().into_bytes();
            for _ in 0..=random(4) {
                let at = random(bytes.len());
                match random(4) {
                    0 => drop(bytes.splice(at..(at + random(20)).min(bytes.len()), [])),
                    1 => bytes[at] = random(256) as u8,
                    2 => bytes.insert(at, b"{}[]\",:0\\"[random(9)]),
                    _ => {
                        let piece = bytes[at..(at + random(60)).min(bytes.len())].to_vec();
                        let to = random(bytes.len());
                        drop(bytes.splice(to..to, piece));
                    }
                }
            }
            let text = String::from_utf8_lossy(&bytes);
            if let Ok(document) = Document::read(&text, None) {
                read += 1;
                assert!(document.blobs.iter().chain(&document.subject).all(|d| d.parse::<Digest>().is_ok()));
            }
        }
        assert!(read > 100, "{read} mutations were still manifests");
    }
}
