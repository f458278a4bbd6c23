//! Under which names an image's package has advisories, and by whose rules its versions are compared.

use crate::PackageKey;
use image_packages::{Distribution, Ecosystem, Package};
use package_versions::Scheme;

/// One place to look for advisories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The package as advisories name it.
    pub key: PackageKey,
    /// The version to compare, which is the source package's where that has the name.
    pub version: String,
    /// By whose rules.
    pub scheme: Scheme,
}

/// Where to look for a package's advisories; empty when nobody publishes any for its distribution.
pub fn lookups(distribution: Option<&Distribution>, package: &Package) -> Vec<Lookup> {
    let one = |system: &str, name: String, version: &str, scheme| {
        let key = PackageKey { system: system.to_owned(), name };
        vec![Lookup { key, version: version.to_owned(), scheme }]
    };
    let (name, version) = (package.name.as_str(), package.version.as_str());
    match package.ecosystem {
        Ecosystem::Python => one("PyPI", python_name(name), version, Scheme::Pep440),
        Ecosystem::Npm => one("npm", name.to_owned(), version, Scheme::Semver),
        Ecosystem::Cargo => one("crates.io", name.to_owned(), version, Scheme::Semver),
        Ecosystem::Go => one("Go", name.to_owned(), version.trim_start_matches('v'), Scheme::Semver),
        Ecosystem::Maven => one("Maven", name.to_owned(), version, Scheme::Maven),
        Ecosystem::Deb => of_distribution(distribution, package, Scheme::Dpkg),
        Ecosystem::Apk => of_distribution(distribution, package, Scheme::Apk),
        Ecosystem::Rpm => of_distribution(distribution, package, Scheme::Rpm),
    }
}

fn of_distribution(distribution: Option<&Distribution>, package: &Package, scheme: Scheme) -> Vec<Lookup> {
    let Some(distribution) = distribution else { return Vec::new() };
    // Debian, Ubuntu and Alpine publish by source package; with RPM some do and some do not.
    let (source, source_version) = match &package.source {
        Some(source) => (source.name.as_str(), source.version.as_str()),
        None => (package.name.as_str(), package.version.as_str()),
    };
    let mut names = vec![(source, source_version)];
    if scheme == Scheme::Rpm && source != package.name {
        names.push((&package.name, &package.version));
    }
    let systems = systems(distribution);
    let lookup = |system: &String, (name, version): (&str, &str)| Lookup {
        key: PackageKey { system: system.clone(), name: name.to_owned() },
        version: version.to_owned(),
        scheme,
    };
    systems.iter().flat_map(|system| names.iter().map(move |name| lookup(system, *name))).collect()
}

/// OSV's names of a distribution's release.
pub(crate) fn systems(distribution: &Distribution) -> Vec<String> {
    let version = distribution.version.as_deref().unwrap_or_default();
    let major = version.split('.').next().unwrap_or_default();
    match distribution.id.as_str() {
        "debian" | "raspbian" => match (major, distribution.codename.as_deref()) {
            ("", Some(codename)) => vec![debian_system(codename)],
            ("", None) => vec![],
            (major, _) => vec![format!("Debian:{major}")],
        },
        "ubuntu" => vec![format!("Ubuntu:{version}:LTS"), format!("Ubuntu:{version}")],
        "alpine" => {
            let mut parts = version.split('.');
            match (parts.next(), parts.next()) {
                (Some(major), Some(minor)) => vec![format!("Alpine:v{major}.{minor}")],
                _ => vec!["Alpine:edge".to_owned()],
            }
        }
        "wolfi" => vec!["Wolfi".to_owned()],
        "chainguard" => vec!["Chainguard".to_owned(), "Wolfi".to_owned()],
        "rocky" => vec![format!("Rocky Linux:{major}")],
        "almalinux" => vec![format!("AlmaLinux:{major}")],
        "rhel" => ["baseos", "appstream"]
            .iter()
            .map(|repository| format!("Red Hat:enterprise_linux:{major}::{repository}"))
            .collect(),
        "opensuse-leap" => vec![format!("openSUSE:Leap {version}")],
        "mageia" => vec![format!("Mageia:{major}")],
        _ => vec![],
    }
}

/// `Debian:12` of `bookworm`. Releases without a number yet keep their codename.
pub(crate) fn debian_system(codename: &str) -> String {
    let number = match codename {
        "squeeze" => "6",
        "wheezy" => "7",
        "jessie" => "8",
        "stretch" => "9",
        "buster" => "10",
        "bullseye" => "11",
        "bookworm" => "12",
        "trixie" => "13",
        "forky" => "14",
        other => other,
    };
    format!("Debian:{number}")
}

/// The normal form of PEP 503.
pub(crate) fn python_name(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for part in name.to_lowercase().split(['-', '_', '.']).filter(|part| !part.is_empty()) {
        if !normal.is_empty() {
            normal.push('-');
        }
        normal.push_str(part);
    }
    normal
}
