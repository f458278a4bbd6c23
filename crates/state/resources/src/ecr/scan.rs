//! Scans of images: what was asked for, how far it is, and where its findings lie.

use super::{Image, Registry, Repository, ScanFrequency, ScanType, matches_wildcard, rows_of};
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The scan of an image: the last one, or the one that is to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageScan {
    /// Owner.
    pub account: AccountId,
    /// Repository.
    pub repository: String,
    /// Digest of the image.
    pub digest: String,
    /// When it was asked for last, by a push, by StartImageScan or by new data.
    pub requested_at: Timestamp,
    /// When StartImageScan asked for it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual_at: Option<Timestamp>,
    /// Generation of the vulnerability data that the last attempt was made with; 0 without data or before the first.
    #[serde(default)]
    pub tried_with: u64,
    /// How far it is.
    pub status: ScanStatus,
    /// What there is to say about the status.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The last scan that came to a result; kept while another one goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ScanResult>,
}

/// How far a scan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ScanStatus {
    /// Asked for.
    Pending,
    /// At work.
    InProgress,
    /// Done once.
    Complete,
    /// Done, and done again whenever more is known.
    Active,
    /// It could not be done.
    Failed,
    /// The image is of a kind that nothing is known of.
    UnsupportedImage,
    /// The image is larger than a scan may be.
    LimitExceeded,
    /// The image is archived.
    ImageArchived,
}

/// What a scan found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScanResult {
    /// What was looked at.
    pub scan_type: ScanType,
    /// When it ended.
    pub completed_at: Timestamp,
    /// Generation of the vulnerability data it was done with.
    pub data_generation: u64,
    /// When that data was imported.
    pub data_imported_at: Timestamp,
    /// Number of findings by severity, all of them.
    pub counts: BTreeMap<String, u32>,
    /// Findings that are stored, the most severe first.
    pub findings: u32,
    /// Name of the file that holds them.
    pub file: String,
    /// Distribution and version, such as `DEBIAN_12`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Architecture of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Author of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
}

/// The vulnerability data that the region's controllers see; one row, written by the one that scans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VulnerabilityData {
    /// Its generation.
    pub generation: u64,
    /// When it was imported.
    pub imported_at: Timestamp,
}

/// A vulnerability found in an image, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageFinding {
    /// The CVE, or the advisory's name when there is none.
    pub name: String,
    /// Names of the advisory and others for the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<String>,
    /// ECR's word.
    pub severity: String,
    /// The severity in the words of who published it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_severity: Option<String>,
    /// One line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// The description.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Who published it.
    pub source: String,
    /// Pages about it, the publisher's own first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// CVSS scores, the most telling first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<FindingScore>,
    /// When it was published, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<i64>,
    /// When that last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<i64>,
    /// Name of the package that the advisory is about: the source package of a distribution.
    pub package: String,
    /// The packages of the image that have it.
    pub packages: Vec<VulnerablePackage>,
    /// When it was found first in this image.
    pub first_observed_at: Timestamp,
}

/// A score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindingScore {
    /// The base score.
    pub value: f64,
    /// Version of CVSS.
    pub version: String,
    /// The vector.
    pub vector: String,
}

/// A package of an image that has a vulnerability.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VulnerablePackage {
    /// Name.
    pub name: String,
    /// Version in full.
    pub version: String,
    /// `deb`, `npm` and so on.
    pub ecosystem: String,
    /// Architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// The file that names it.
    pub path: String,
    /// Digest of the layer that brought it.
    pub layer: String,
    /// Version of the package that the advisory is about.
    pub source_version: String,
    /// The version that no longer has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed: Option<String>,
}

impl ImageScan {
    /// A scan of an image, asked for now.
    pub fn new(image: &Image, now: Timestamp) -> Self {
        Self {
            account: image.account.clone(),
            repository: image.repository.clone(),
            digest: image.digest.clone(),
            requested_at: now,
            manual_at: None,
            tried_with: 0,
            status: ScanStatus::Pending,
            description: String::new(),
            result: None,
        }
    }

    /// Whether it waits to be carried out.
    pub fn is_due(&self) -> bool {
        matches!(self.status, ScanStatus::Pending | ScanStatus::InProgress)
    }
}

impl Image {
    /// Whether it is an image of a container, with layers of files: no index, chart, signature or bill of materials.
    pub fn is_scannable(&self) -> bool {
        const CONFIGURATIONS: [&str; 2] =
            ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
        let configuration = self.artifact_type.as_deref();
        self.children.is_empty() && configuration.is_some_and(|kind| CONFIGURATIONS.contains(&kind))
    }
}

/// What the settings of registry and repository say of scanning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scanning {
    /// What is looked at.
    pub scan_type: ScanType,
    /// How often.
    pub frequency: ScanFrequency,
}

/// How a repository's images are scanned, and by which patterns of the registry's rules. The most frequent of the rules
/// that match counts; with basic scanning, the repository's own setting counts too.
pub fn scanning_of<'r>(registry: Option<&'r Registry>, repository: &Repository) -> (Scanning, Vec<&'r str>) {
    if repository.is_public() {
        // As on AWS nobody scans what is public.
        return (Scanning { scan_type: ScanType::Basic, frequency: ScanFrequency::Manual }, vec![]);
    }
    let settings = registry.and_then(|registry| registry.scanning.as_ref());
    let scan_type = settings.map(|settings| settings.scan_type).unwrap_or_default();
    let rank = |frequency: ScanFrequency| match frequency {
        ScanFrequency::Manual => 0,
        ScanFrequency::ScanOnPush => 1,
        ScanFrequency::ContinuousScan => 2,
    };
    let mut frequency = match (scan_type, repository.scan_on_push) {
        (ScanType::Basic, true) => ScanFrequency::ScanOnPush,
        _ => ScanFrequency::Manual,
    };
    let mut applied = Vec::new();
    for rule in settings.iter().flat_map(|settings| &settings.rules) {
        let matching = rule.filters.iter().filter(|filter| matches_wildcard(filter, &repository.name));
        let before = applied.len();
        applied.extend(matching.map(String::as_str));
        if applied.len() > before && rank(rule.frequency) > rank(frequency) {
            frequency = rule.frequency;
        }
    }
    (Scanning { scan_type, frequency }, applied)
}

impl Stored for ImageScan {
    const TABLE: &'static str = "ecr/scan";

    fn key(&self) -> String {
        rows_of(&self.account, &self.repository) + &self.digest
    }
}

impl Stored for VulnerabilityData {
    const TABLE: &'static str = "ecr/vulnerability-data";

    fn key(&self) -> String {
        String::from("current")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecr::{RegistryScanning, ScanningRule};

    #[test]
    fn the_most_frequent_of_the_rules_that_match_counts() {
        let account: AccountId = "123456789012".parse().expect("an account");
        let mut repository = Repository::new(account.clone(), "prod/app", Timestamp::from_seconds(0));
        let mut registry = Registry::new(account);
        assert_eq!(scanning_of(None, &repository).0.frequency, ScanFrequency::Manual);
        repository.scan_on_push = true;
        assert_eq!(scanning_of(Some(&registry), &repository).0.frequency, ScanFrequency::ScanOnPush);
        let rule = |frequency, filter: &str| ScanningRule { frequency, filters: vec![filter.to_owned()] };
        registry.scanning = Some(RegistryScanning {
            scan_type: ScanType::Enhanced,
            rules: vec![rule(ScanFrequency::ContinuousScan, "prod/*"), rule(ScanFrequency::ScanOnPush, "*")],
        });
        let (scanning, filters) = scanning_of(Some(&registry), &repository);
        assert_eq!(
            scanning,
            Scanning { scan_type: ScanType::Enhanced, frequency: ScanFrequency::ContinuousScan }
        );
        assert_eq!(filters, ["prod/*", "*"]);
        repository.name = "test".to_owned();
        assert_eq!(scanning_of(Some(&registry), &repository).0.frequency, ScanFrequency::ScanOnPush);
        registry.scanning = Some(RegistryScanning { scan_type: ScanType::Enhanced, rules: vec![] });
        assert_eq!(scanning_of(Some(&registry), &repository).0.frequency, ScanFrequency::Manual);
    }
}
