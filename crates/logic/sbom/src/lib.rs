//! The bill of materials of an image, in the two forms that other tools read: CycloneDX 1.6 and SPDX 2.3, both as JSON.
//!
//! Pure: what a document needs besides the packages, its id and its time among that, comes in [`Subject`]. Nothing is
//! claimed that is not known: licences are as the packages state them, and everything else is NOASSERTION.

mod cyclonedx;
mod spdx;

use image_packages::Inventory;
use serde_json::Value;

/// The image, and what makes the document this one.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Repository with its registry, as one pulls it.
    pub name: String,
    /// Tag, if it was named by one.
    pub tag: Option<String>,
    /// Digest of the manifest.
    pub digest: String,
    /// Digests of the layers, from the lowest.
    pub layers: Vec<String>,
    /// A UUID for this document.
    pub id: String,
    /// When it was made, in RFC 3339 with whole seconds.
    pub created: String,
    /// Version of the program that makes it.
    pub tool_version: String,
}

/// A form of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// CycloneDX 1.6.
    CycloneDx,
    /// SPDX 2.3.
    Spdx,
}

impl Format {
    /// The media type of the document.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::CycloneDx => "application/vnd.cyclonedx+json",
            Self::Spdx => "application/spdx+json",
        }
    }
}

/// The document about an image.
pub fn document(format: Format, subject: &Subject, inventory: &Inventory) -> Value {
    match format {
        Format::CycloneDx => cyclonedx::document(subject, inventory),
        Format::Spdx => spdx::document(subject, inventory),
    }
}

impl Subject {
    /// The image's package URL.
    fn purl(&self) -> String {
        let encode = |text: &str| text.replace('%', "%25").replace(':', "%3A").replace('/', "%2F");
        let last = self.name.rsplit('/').next().unwrap_or(&self.name);
        let tag = self.tag.as_ref().map(|tag| format!("&tag={}", encode(tag))).unwrap_or_default();
        format!("pkg:oci/{last}@{}?repository_url={}{tag}", encode(&self.digest), encode(&self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image_packages::{Distribution, Ecosystem, Package};

    fn package(ecosystem: Ecosystem, name: &str, path: &str) -> Package {
        Package {
            ecosystem,
            name: name.into(),
            version: "1.0".into(),
            source: None,
            architecture: Some("amd64".into()),
            license: Some("MIT".into()),
            path: path.into(),
            layer: 0,
        }
    }

    fn subject() -> Subject {
        Subject {
            name: "localhost:4566/team/app".into(),
            tag: Some("v1".into()),
            digest: "sha256:aa".into(),
            layers: vec!["sha256:bb".into()],
            id: "11111111-2222-4333-8444-555555555555".into(),
            created: "2024-01-02T03:04:05Z".into(),
            tool_version: "0.0.0".into(),
        }
    }

    #[test]
    fn every_package_is_in_once_and_has_an_id_of_its_own() {
        let inventory = Inventory {
            distribution: Some(Distribution {
                id: "debian".into(),
                version: Some("12".into()),
                ..Distribution::default()
            }),
            packages: vec![
                package(Ecosystem::Deb, "bash", "var/lib/dpkg/status"),
                package(Ecosystem::Npm, "@a/b", "x/node_modules/@a/b/package.json"),
                package(Ecosystem::Npm, "@a/b", "y/node_modules/@a/b/package.json"),
                package(Ecosystem::Maven, "org.x:y", "a.jar"),
            ],
        };
        let cyclonedx = document(Format::CycloneDx, &subject(), &inventory);
        let components = cyclonedx["components"].as_array().expect("a list");
        assert_eq!(components.len(), 5);
        let mut ids: Vec<&str> = components.iter().filter_map(|one| one["bom-ref"].as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 5);
        assert_eq!(components[1]["purl"], "pkg:deb/debian/bash@1.0?arch=amd64&distro=debian-12");
        assert_eq!((&components[4]["group"], &components[4]["name"]), (&"org.x".into(), &"y".into()));
        assert_eq!(cyclonedx["dependencies"][0]["dependsOn"].as_array().map(Vec::len), Some(5));
        let purl = "pkg:oci/app@sha256%3Aaa?repository_url=localhost%3A4566%2Fteam%2Fapp&tag=v1";
        assert_eq!(cyclonedx["metadata"]["component"]["purl"], purl);

        let spdx = document(Format::Spdx, &subject(), &inventory);
        let packages = spdx["packages"].as_array().expect("a list");
        assert_eq!(packages.len(), 6);
        assert_eq!(spdx["relationships"].as_array().map(Vec::len), Some(6));
        assert!(packages.iter().all(|package| package["downloadLocation"] == "NOASSERTION"));
    }
}
