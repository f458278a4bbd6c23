//! What any bytes must hold to as a package database, a description of a package, or layers.

use image_packages::{FileFormat, Limits, Reader, parse_file};

const FORMATS: [FileFormat; 11] = [
    FileFormat::OsRelease,
    FileFormat::Dpkg,
    FileFormat::Apk,
    FileFormat::RpmBerkeley,
    FileFormat::RpmNdb,
    FileFormat::RpmSqlite,
    FileFormat::PythonMetadata,
    FileFormat::NodePackage,
    FileFormat::NodeLock,
    FileFormat::Java,
    FileFormat::Binary,
];
/// Between two layers.
const MARK: u8 = 0xfe;

/// A file of any format, which the first byte chooses, neither panics nor takes long and names plausible packages only.
pub fn file(input: &[u8]) {
    let Some((first, content)) = input.split_first() else { return };
    let format = FORMATS[usize::from(*first) % FORMATS.len()];
    for package in parse_file(format, "a-1.jar", content) {
        assert!(!package.name.is_empty() && package.name.len() <= 512);
        assert!(!package.version.is_empty() && package.version.len() <= 512);
    }
}

/// Layers, separated by a mark, neither panic nor take long nor name more packages than the limits allow.
pub fn layer(input: &[u8]) {
    let limits =
        Limits { bytes: 1 << 24, entries: 10_000, packages: 1_000, file: 1 << 22, ..Limits::default() };
    let mut reader = Reader::new(limits);
    for layer in input.split(|byte| *byte == MARK).take(4) {
        if reader.layer(layer).is_err() {
            return;
        }
    }
    assert!(reader.finish().packages.len() <= 1_000);
}
