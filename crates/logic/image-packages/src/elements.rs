//! One file, its format, and what it says.

use crate::budget::Budget;
use crate::formats::{apk, dpkg, node, os_release, python, rpm};
use crate::{Distribution, Limits, Package, binaries, zip_stream};

/// Formats of files that name packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// `os-release`.
    OsRelease,
    /// Paragraphs of dpkg's `status`.
    Dpkg,
    /// Alpine's `installed`.
    Apk,
    /// RPM's `Packages`, a Berkeley DB hash.
    RpmBerkeley,
    /// RPM's `Packages.db`.
    RpmNdb,
    /// RPM's `rpmdb.sqlite`.
    RpmSqlite,
    /// The write-ahead log of `rpmdb.sqlite`, which says nothing without it.
    RpmSqliteLog,
    /// `METADATA` or `PKG-INFO`.
    PythonMetadata,
    /// An installed module's `package.json`.
    NodePackage,
    /// `package-lock.json`.
    NodeLock,
    /// A jar, war or ear.
    Java,
    /// An ELF file.
    Binary,
}

/// What one file says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    pub(crate) distribution: Option<Distribution>,
    pub(crate) packages: Vec<Package>,
    /// The whole content of what is read together with another file, compressed.
    pub(crate) whole: Option<Vec<u8>>,
}

impl From<Vec<Package>> for Said {
    fn from(packages: Vec<Package>) -> Self {
        Self { packages, ..Self::default() }
    }
}

/// What a file's whole content says; formats that are streams are read elsewhere.
pub(crate) fn said(format: FileFormat, content: &[u8]) -> Said {
    match format {
        FileFormat::OsRelease => Said { distribution: os_release::parse(content), ..Said::default() },
        FileFormat::Dpkg => dpkg::parse(content).into(),
        FileFormat::Apk => apk::parse(content).into(),
        FileFormat::RpmBerkeley => rpm::berkeley::parse(content).into(),
        FileFormat::RpmNdb => rpm::ndb::parse(content).into(),
        FileFormat::RpmSqlite => {
            let whole = rpm::sqlite::has_log(content).then(|| packed(content)).flatten();
            Said { packages: rpm::sqlite::parse(content), whole, ..Said::default() }
        }
        FileFormat::RpmSqliteLog => Said { whole: packed(content), ..Said::default() },
        FileFormat::PythonMetadata => python::parse(content).into(),
        FileFormat::NodePackage => node::package(content).into(),
        FileFormat::NodeLock => node::lock(content).into(),
        FileFormat::Java | FileFormat::Binary => Said::default(),
    }
}

/// A content for later.
fn packed(content: &[u8]) -> Option<Vec<u8>> {
    zstd::encode_all(content, 1).ok()
}

/// Reads one file of a format, for tests, fuzzing and those who have no image. What is not of that format names nothing.
pub fn parse_file(format: FileFormat, name: &str, content: &[u8]) -> Vec<Package> {
    let limits = Limits { bytes: 1 << 28, file: 1 << 26, ..Limits::default() };
    let budget = Budget::new(&limits, 0, 0);
    match format {
        FileFormat::Java => zip_stream::java_archive(name, content, &budget).unwrap_or_default(),
        FileFormat::Binary => binaries::parse(content, &limits).unwrap_or_default(),
        format => said(format, content).packages,
    }
}
