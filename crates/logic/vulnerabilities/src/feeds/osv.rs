//! Documents in the OSV format.

use super::{FeedError, Item, seconds};
use crate::systems::python_name;
use crate::{Advisory, End, Feed, PackageKey, Range, Severity};
use package_versions::{Scheme, compare};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Document {
    id: String,
    modified: Option<String>,
    published: Option<String>,
    withdrawn: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
    /// What a distribution's advisory is about.
    #[serde(default)]
    upstream: Vec<String>,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    details: String,
    #[serde(default)]
    severity: Vec<Rating>,
    #[serde(default)]
    affected: Vec<AffectedPackage>,
    #[serde(default)]
    references: Vec<Reference>,
    #[serde(default)]
    database_specific: Value,
}

#[derive(Clone, Deserialize)]
struct Rating {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    score: String,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(default)]
    url: String,
}

#[derive(Deserialize)]
struct AffectedPackage {
    package: Option<Named>,
    #[serde(default)]
    severity: Vec<Rating>,
    #[serde(default)]
    ranges: Vec<Events>,
    #[serde(default)]
    versions: Vec<String>,
    #[serde(default)]
    ecosystem_specific: Value,
    #[serde(default)]
    database_specific: Value,
}

#[derive(Deserialize)]
struct Named {
    ecosystem: String,
    name: String,
}

#[derive(Deserialize)]
struct Events {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    introduced: Option<String>,
    fixed: Option<String>,
    last_affected: Option<String>,
}

/// Most affected packages of one document.
const MOST_PACKAGES: usize = 4096;

/// Reads one document, or an array of them.
pub fn osv(content: &[u8]) -> Result<Vec<Item>, FeedError> {
    let array = content.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let documents = if array {
        serde_json::from_slice(content)?
    } else {
        vec![serde_json::from_slice::<Document>(content)?]
    };
    Ok(documents.into_iter().map(item).collect())
}

fn item(document: Document) -> Item {
    let mut advisories: Vec<(PackageKey, Advisory)> = Vec::new();
    // A malicious package is named by its whole self; ranges hold for it all the same.
    if document.withdrawn.is_none() {
        for affected in document.affected.iter().take(MOST_PACKAGES) {
            advisories.extend(advisory(&document, affected));
        }
    }
    Item { id: document.id, advisories }
}

fn advisory(document: &Document, affected: &AffectedPackage) -> Option<(PackageKey, Advisory)> {
    let package = affected.package.as_ref()?;
    let scheme = scheme(&package.ecosystem)?;
    let ranges: Vec<Range> = affected
        .ranges
        .iter()
        .filter(|events| events.kind != "GIT")
        .flat_map(|events| ranges(scheme, events))
        .collect();
    if ranges.is_empty() && affected.versions.is_empty() {
        return None;
    }
    // Versions are listed even where ranges say the same; keeping what ranges do not cover saves most of the space.
    let advisory = Advisory {
        feed: Feed::Osv,
        id: document.id.clone(),
        aliases: document.aliases.iter().chain(&document.upstream).cloned().collect(),
        versions: Vec::new(),
        severity: severity(document, affected),
        vectors: vectors(document, affected),
        summary: document.summary.clone(),
        details: document.details.clone(),
        references: std::iter::once(format!("https://osv.dev/vulnerability/{}", document.id))
            .chain(document.references.iter().map(|reference| reference.url.clone()))
            .filter(|url| !url.is_empty())
            .collect(),
        published: document.published.as_deref().and_then(seconds),
        modified: document.modified.as_deref().and_then(seconds),
        ranges,
    };
    let uncovered =
        affected.versions.iter().filter(|version| crate::affects(scheme, &advisory, version).is_none());
    let versions = uncovered.cloned().collect();
    let name = if package.ecosystem == "PyPI" { python_name(&package.name) } else { package.name.clone() };
    let key = PackageKey { system: package.ecosystem.clone(), name };
    Some((key, Advisory { versions, ..advisory }.bounded()))
}

/// By whose rules an ecosystem's versions are compared; `None` for those whose packages are not read from images.
fn scheme(ecosystem: &str) -> Option<Scheme> {
    let name = ecosystem.split(':').next().unwrap_or(ecosystem);
    Some(match name {
        "Debian" | "Ubuntu" => Scheme::Dpkg,
        "Alpine" | "Wolfi" | "Chainguard" => Scheme::Apk,
        "Red Hat" | "Rocky Linux" | "AlmaLinux" | "openSUSE" | "SUSE" | "Mageia" | "openEuler" => Scheme::Rpm,
        "PyPI" => Scheme::Pep440,
        "npm" | "crates.io" | "Go" => Scheme::Semver,
        "Maven" => Scheme::Maven,
        _ => return None,
    })
}

/// Events sorted by version, folded into ranges.
fn ranges(scheme: Scheme, events: &Events) -> Vec<Range> {
    enum What {
        Introduced,
        Fixed,
        Last,
    }
    let mut sorted: Vec<(&str, What)> = Vec::new();
    for event in &events.events {
        sorted.extend(event.introduced.as_deref().map(|version| (version, What::Introduced)));
        sorted.extend(event.fixed.as_deref().map(|version| (version, What::Fixed)));
        sorted.extend(event.last_affected.as_deref().map(|version| (version, What::Last)));
    }
    let first = |version: &str| version == "0";
    sorted.sort_by(|(left, _), (right, _)| {
        first(right).cmp(&first(left)).then_with(|| compare(scheme, left, right))
    });
    let mut ranges = Vec::new();
    let mut open: Option<Option<String>> = None;
    for (version, what) in sorted {
        let end = match what {
            What::Introduced => {
                open.get_or_insert_with(|| (!first(version)).then(|| version.to_owned()));
                continue;
            }
            What::Fixed => End::Fixed(version.to_owned()),
            What::Last => End::LastAffected(version.to_owned()),
        };
        if let Some(introduced) = open.take() {
            ranges.push(Range { introduced, end });
        }
    }
    ranges.extend(open.map(|introduced| Range { introduced, end: End::Open }));
    ranges
}

/// The distribution's own word, or the publisher's.
fn severity(document: &Document, affected: &AffectedPackage) -> Option<Severity> {
    let rated = affected.severity.iter().chain(&document.severity);
    let own = rated
        .filter(|rating| !rating.kind.starts_with("CVSS"))
        .find_map(|rating| Severity::of_word(&rating.score));
    let word = |value: &Value, key: &str| value[key].as_str().and_then(Severity::of_word);
    own.or_else(|| word(&affected.ecosystem_specific, "urgency"))
        .or_else(|| word(&affected.ecosystem_specific, "severity"))
        .or_else(|| word(&affected.database_specific, "severity"))
        .or_else(|| word(&document.database_specific, "severity"))
}

fn vectors(document: &Document, affected: &AffectedPackage) -> Vec<String> {
    let own = if affected.severity.is_empty() { &document.severity } else { &affected.severity };
    own.iter().filter(|rating| rating.kind.starts_with("CVSS")).map(|rating| rating.score.clone()).collect()
}
