//! A package database or description of any format must neither panic nor take long, and names plausible packages only.

#![no_main]

use image_packages::{FileFormat, parse_file};
use libfuzzer_sys::fuzz_target;

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

fuzz_target!(|input: &[u8]| {
    // The first byte chooses the format.
    let Some((first, content)) = input.split_first() else { return };
    let format = FORMATS[usize::from(*first) % FORMATS.len()];
    for package in parse_file(format, "a-1.jar", content) {
        assert!(!package.name.is_empty() && package.name.len() <= 512);
        assert!(!package.version.is_empty() && package.version.len() <= 512);
    }
});
