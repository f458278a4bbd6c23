//! Which advisories hold for the packages of an image.

use crate::{Advisory, End, Lookup, PackageKey, Range, Score, Severity, lookups, rating};
use image_packages::{Inventory, Package};
use package_versions::{Scheme, compare};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Which packages to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of the distribution, as ECR's basic scanning does.
    Distribution,
    /// All, as its enhanced scanning does.
    All,
}

/// A vulnerability of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What is known of it.
    pub advisory: Advisory,
    /// How severe.
    pub severity: Severity,
    /// CVSS scores, the most telling first.
    pub scores: Vec<Score>,
    /// Name of the package that advisories are about: the source package of a distribution.
    pub package: String,
    /// The packages that have it; all are of that name or built from it.
    pub affected: Vec<Affected>,
}

/// A package that has a vulnerability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affected {
    /// Its place in the inventory.
    pub package: usize,
    /// The version that does not have it, if there is one.
    pub fixed: Option<String>,
}

/// What a scan found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// From the most severe to the least, then by name.
    pub findings: Vec<Finding>,
    /// Packages that were looked up.
    pub examined: usize,
    /// Systems of packages for which there is no data at all, with how many packages. They were not examined: nothing is
    /// known of them, which is not the same as nothing found.
    pub unknown: BTreeMap<String, usize>,
}

/// Looks for the packages of an image. `known` says whether there is data for a system, `advisories` gives a package's.
pub fn find<E>(
    inventory: &Inventory,
    scope: Scope,
    known: impl Fn(&str) -> bool,
    mut advisories: impl FnMut(&PackageKey) -> Result<Vec<Advisory>, E>,
) -> Result<Found, E> {
    let mut found = Found::default();
    let mut findings: BTreeMap<(String, String), Finding> = BTreeMap::new();
    let mut cache: BTreeMap<PackageKey, Vec<Advisory>> = BTreeMap::new();
    let distribution = inventory.distribution.as_ref();
    for (index, package) in inventory.packages.iter().enumerate() {
        if scope == Scope::Distribution && !package.ecosystem.is_distribution() {
            continue;
        }
        let lookups = lookups(distribution, package);
        let usable: Vec<&Lookup> = lookups.iter().filter(|lookup| known(&lookup.key.system)).collect();
        if usable.is_empty() {
            *found.unknown.entry(unknown_system(inventory, package, &lookups)).or_default() += 1;
            continue;
        }
        found.examined += 1;
        let (mut decided, mut hit) = (BTreeMap::new(), BTreeSet::new());
        for lookup in usable {
            if !cache.contains_key(&lookup.key) {
                cache.insert(lookup.key.clone(), by_trust(advisories(&lookup.key)?));
            }
            for advisory in &cache[&lookup.key] {
                // One feed may speak of a vulnerability several times; another, less trusted one is not heard then.
                let feed = *decided.entry(advisory.name().to_owned()).or_insert(advisory.feed);
                if feed != advisory.feed || hit.contains(advisory.name()) {
                    continue;
                }
                let Some(Fix(fixed)) = affects(lookup.scheme, advisory, &lookup.version) else { continue };
                hit.insert(advisory.name().to_owned());
                let key = (advisory.name().to_owned(), lookup.key.name.clone());
                let finding = findings.entry(key).or_insert_with(|| new(advisory, &lookup.key.name));
                finding.affected.push(Affected { package: index, fixed });
            }
        }
    }
    found.findings = findings.into_values().collect();
    found.findings.sort_by_key(|finding| Reverse(finding.severity));
    Ok(found)
}

/// The most trusted feed first: it has the word on a vulnerability, also when it says that a version is not affected. The
/// vectors that it does not give are taken from the others.
fn by_trust(mut all: Vec<Advisory>) -> Vec<Advisory> {
    all.sort_by_key(|advisory| advisory.feed);
    let rated: BTreeMap<String, Vec<String>> = all
        .iter()
        .filter(|advisory| !advisory.vectors.is_empty())
        .map(|advisory| (advisory.name().to_owned(), advisory.vectors.clone()))
        .collect();
    for advisory in all.iter_mut().filter(|advisory| advisory.vectors.is_empty()) {
        if let Some(vectors) = rated.get(advisory.name()) {
            advisory.vectors.clone_from(vectors);
        }
    }
    all
}

fn new(advisory: &Advisory, package: &str) -> Finding {
    let (severity, scores) = rating(advisory);
    Finding {
        advisory: advisory.clone(),
        severity,
        scores,
        package: package.to_owned(),
        affected: Vec::new(),
    }
}

fn unknown_system(inventory: &Inventory, package: &Package, lookups: &[Lookup]) -> String {
    match (lookups.first(), &inventory.distribution) {
        (Some(lookup), _) => lookup.key.system.clone(),
        (None, Some(distribution)) => {
            let version = distribution.version.as_deref().or(distribution.codename.as_deref());
            format!("{} {}", distribution.id, version.unwrap_or_default()).trim_end().to_owned()
        }
        (None, None) => format!("{} without os-release", package.ecosystem),
    }
}

/// The version that no longer has a vulnerability, if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix(pub Option<String>);

/// Whether a version has a vulnerability; if so, what fixes it.
pub fn affects(scheme: Scheme, advisory: &Advisory, version: &str) -> Option<Fix> {
    for range in &advisory.ranges {
        if contains(scheme, range, version) {
            return Some(Fix(fixed_of(range)));
        }
    }
    if advisory.versions.iter().any(|affected| compare(scheme, affected, version).is_eq()) {
        let later = advisory.ranges.iter().filter_map(fixed_of);
        let later = later.filter(|fixed| compare(scheme, fixed, version).is_gt());
        return Some(Fix(later.min_by(|left, right| compare(scheme, left, right))));
    }
    None
}

fn fixed_of(range: &Range) -> Option<String> {
    match &range.end {
        End::Fixed(version) => Some(version.clone()),
        End::Open | End::LastAffected(_) => None,
    }
}

fn contains(scheme: Scheme, range: &Range, version: &str) -> bool {
    let begun = range.introduced.as_ref().is_none_or(|first| compare(scheme, first, version).is_le());
    let over = match &range.end {
        End::Open => false,
        End::Fixed(fixed) => compare(scheme, fixed, version).is_le(),
        End::LastAffected(last) => compare(scheme, last, version).is_lt(),
    };
    begun && !over
}
