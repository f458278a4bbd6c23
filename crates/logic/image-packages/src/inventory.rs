//! What was found in an image.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Everything found in an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// The distribution, from `os-release`.
    pub distribution: Option<Distribution>,
    /// Packages, ordered by ecosystem, name, version and place.
    pub packages: Vec<Package>,
}

/// A Linux distribution, in the words of `os-release`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// `ID`, such as `debian`.
    pub id: String,
    /// `ID_LIKE`.
    pub like: Vec<String>,
    /// `VERSION_ID`, such as `12` or `3.19.1`; rolling distributions have none.
    pub version: Option<String>,
    /// `VERSION_CODENAME`, such as `bookworm`.
    pub codename: Option<String>,
    /// `PRETTY_NAME`.
    pub pretty_name: Option<String>,
}

/// Where a package comes from, and so which rules hold for its name and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ecosystem {
    /// Debian and its descendants.
    Deb,
    /// Alpine, Wolfi.
    Apk,
    /// Red Hat, SUSE and others.
    Rpm,
    /// Python.
    Python,
    /// Node.
    Npm,
    /// Go modules, from binaries.
    Go,
    /// Rust crates, from binaries.
    Cargo,
    /// Java.
    Maven,
}

impl Ecosystem {
    /// Whether its packages are the distribution's own.
    pub fn is_distribution(self) -> bool {
        matches!(self, Self::Deb | Self::Apk | Self::Rpm)
    }
}

impl fmt::Display for Ecosystem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Deb => "deb",
            Self::Apk => "apk",
            Self::Rpm => "rpm",
            Self::Python => "python",
            Self::Npm => "npm",
            Self::Go => "go",
            Self::Cargo => "cargo",
            Self::Maven => "maven",
        })
    }
}

/// A package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// Whose package.
    pub ecosystem: Ecosystem,
    /// Name; of Java `group:artifact`, or the artifact alone when the group is not known.
    pub name: String,
    /// Version as the ecosystem writes it, with epoch and release.
    pub version: String,
    /// What it was built from, if that has another name or version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Architecture, as the ecosystem calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Licence as the package states it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// The file that names it, relative to the root; what lies in an archive follows a `!`.
    pub path: String,
    /// Number of the layer that brought it, from the lowest, which is 0.
    pub layer: usize,
}

/// A source package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Source {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
}

impl Package {
    /// A package of which only name and version are known.
    pub(crate) fn new(ecosystem: Ecosystem, name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            ecosystem,
            name: name.into(),
            version: version.into(),
            source: None,
            architecture: None,
            license: None,
            path: String::new(),
            layer: 0,
        }
    }

    /// Whether name and version can be shown and compared: not empty, not huge, without control characters.
    pub(crate) fn is_plausible(&self) -> bool {
        let fits = |text: &str| {
            !text.is_empty() && text.len() <= LONGEST_TEXT && !text.chars().any(char::is_control)
        };
        fits(&self.name) && fits(&self.version)
    }

    /// The package without where it was found, to see that two are the same.
    pub(crate) fn same(&self, other: &Self) -> bool {
        (self.ecosystem, &self.name, &self.version, &self.architecture)
            == (other.ecosystem, &other.name, &other.version, &other.architecture)
    }
}

/// Longest name or version.
const LONGEST_TEXT: usize = 512;
