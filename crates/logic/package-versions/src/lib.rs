//! Which of two versions of a package is the newer one, by the rules of the ecosystem that the package comes from.
//!
//! Versions are compared as the texts found in package databases and advisories. Every comparison is a total order over
//! all texts: what an ecosystem would refuse as a version has a place too, so that nothing found in an image can stop a
//! scan. The crate knows neither packages nor advisories.

mod apk;
mod dpkg;
mod maven;
mod numbers;
mod python;
mod rpm;
mod semver;

use std::cmp::Ordering;

/// Whose rules decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Debian and its descendants: `[epoch:]upstream[-revision]`.
    Dpkg,
    /// Red Hat, SUSE and others with RPM: `[epoch:]version[-release]`.
    Rpm,
    /// Alpine, Wolfi: `1.2.3_rc1-r4`.
    Apk,
    /// Python, PEP 440.
    Pep440,
    /// Semantic versions as npm, Cargo and Go write them, with or without a leading `v` and missing parts.
    Semver,
    /// Maven's ComparableVersion.
    Maven,
}

/// Every scheme, for tests and fuzzing.
pub const SCHEMES: [Scheme; 6] =
    [Scheme::Dpkg, Scheme::Rpm, Scheme::Apk, Scheme::Pep440, Scheme::Semver, Scheme::Maven];

/// Compares two versions.
pub fn compare(scheme: Scheme, left: &str, right: &str) -> Ordering {
    match scheme {
        Scheme::Dpkg => dpkg::compare(left, right),
        Scheme::Rpm => rpm::compare(left, right),
        Scheme::Apk => apk::compare(left, right),
        Scheme::Pep440 => python::compare(left, right),
        Scheme::Semver => semver::compare(left, right),
        Scheme::Maven => maven::compare(left, right),
    }
}

#[cfg(test)]
mod tests;
