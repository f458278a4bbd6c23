//! From what the logic finds to what is stored.

use super::examine::Manifest;
use environment::Timestamp;
use image_packages::{Distribution, Inventory};
use resources::ecr::{FindingScore, ImageFinding, VulnerabilityData, VulnerablePackage};
use std::collections::{BTreeMap, HashMap};
use vulnerabilities::{Affected, Finding, Severity};
use vulnerability_data::Database;

/// The row about the data there is.
pub fn row_of(data: &Database) -> VulnerabilityData {
    let summary = data.summary();
    VulnerabilityData {
        generation: summary.generation,
        imported_at: Timestamp::from_millis(summary.imported_at),
    }
}

/// ECR's word.
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Undefined => "UNDEFINED",
        Severity::Informational => "INFORMATIONAL",
        Severity::Low => "LOW",
        Severity::Medium => "MEDIUM",
        Severity::High => "HIGH",
        Severity::Critical => "CRITICAL",
    }
}

/// Number of findings by severity.
pub fn counts(findings: &[Finding]) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for finding in findings {
        *counts.entry(severity(finding.severity).to_owned()).or_default() += 1;
    }
    counts
}

/// `DEBIAN_12`.
pub fn platform(distribution: &Distribution) -> String {
    let version = distribution.version.as_deref().or(distribution.codename.as_deref()).unwrap_or_default();
    let text = format!("{} {version}", distribution.id);
    text.trim_end().to_ascii_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_")
}

/// A finding as it is kept. `first` says when each finding was first there.
pub fn finding(
    found: &Finding,
    inventory: &Inventory,
    manifest: &Manifest,
    first: &HashMap<(String, String), Timestamp>,
    now: Timestamp,
) -> ImageFinding {
    let advisory = &found.advisory;
    let name = advisory.name().to_owned();
    let related =
        std::iter::once(&advisory.id).chain(&advisory.aliases).filter(|id| **id != name).cloned().collect();
    let first_observed_at = first.get(&(name.clone(), found.package.clone())).copied().unwrap_or(now);
    ImageFinding {
        related,
        severity: severity(found.severity).to_owned(),
        vendor_severity: advisory.severity.map(|given| severity(given).to_owned()),
        title: advisory.summary.clone(),
        description: advisory.details.clone(),
        source: advisory.feed.title().to_owned(),
        references: advisory.references.clone(),
        scores: found
            .scores
            .iter()
            .map(|score| FindingScore {
                value: score.value,
                version: score.version.clone(),
                vector: score.vector.clone(),
            })
            .collect(),
        published: advisory.published,
        modified: advisory.modified,
        package: found.package.clone(),
        packages: found.affected.iter().filter_map(|one| package(one, found, inventory, manifest)).collect(),
        first_observed_at,
        name,
    }
}

fn package(
    affected: &Affected,
    found: &Finding,
    inventory: &Inventory,
    manifest: &Manifest,
) -> Option<VulnerablePackage> {
    let package = inventory.packages.get(affected.package)?;
    let source = package.source.as_ref().filter(|source| source.name == found.package);
    Some(VulnerablePackage {
        name: package.name.clone(),
        version: package.version.clone(),
        ecosystem: package.ecosystem.to_string(),
        architecture: package.architecture.clone(),
        path: package.path.clone(),
        layer: manifest.layer(package.layer).to_owned(),
        source_version: source.map_or(&package.version, |source| &source.version).clone(),
        fixed: affected.fixed.clone(),
    })
}
