//! A package's header: an index of tags and the data it points into, all big-endian.

use super::{be_u32, slice};
use crate::{Ecosystem, Package, Source};

const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const LICENSE: u32 = 1014;
const ARCHITECTURE: u32 = 1022;
const SOURCE_RPM: u32 = 1044;

const ENTRY: usize = 16;
const MOST_ENTRIES: usize = 65_536;
/// Longest text that is read.
const LONGEST: usize = 4096;

/// The package of a header blob.
pub(super) fn parse(blob: &[u8]) -> Option<Package> {
    let entries = usize::try_from(be_u32(blob, 0)?).ok()?;
    let length = usize::try_from(be_u32(blob, 4)?).ok()?;
    if entries > MOST_ENTRIES {
        return None;
    }
    let data = slice(blob, 8 + entries * ENTRY, length)?;
    let (mut name, mut version, mut release, mut epoch) = (None, None, None, None);
    let (mut license, mut architecture, mut source) = (None, None, None);
    for entry in slice(blob, 8, entries * ENTRY)?.chunks_exact(ENTRY) {
        let offset = usize::try_from(be_u32(entry, 8)?).ok()?;
        match be_u32(entry, 0)? {
            NAME => name = text(data, offset),
            VERSION => version = text(data, offset),
            RELEASE => release = text(data, offset),
            LICENSE => license = text(data, offset),
            ARCHITECTURE => architecture = text(data, offset),
            SOURCE_RPM => source = text(data, offset),
            EPOCH => epoch = be_u32(data, offset),
            _ => {}
        }
    }
    let (name, version, release) = (name?, version?, release?);
    // Keys of signers are kept as packages of this name.
    if name == "gpg-pubkey" {
        return None;
    }
    let epoch = epoch.filter(|epoch| *epoch > 0).map(|epoch| format!("{epoch}:")).unwrap_or_default();
    let mut package = Package::new(Ecosystem::Rpm, name, format!("{epoch}{version}-{release}"));
    package.architecture = architecture.map(str::to_owned);
    package.license = license.map(str::to_owned);
    package.source = source.and_then(|file| source_of(file, &epoch)).filter(|source| source.name != name);
    package.is_plausible().then_some(package)
}

fn text(data: &[u8], offset: usize) -> Option<&str> {
    let rest = data.get(offset..)?;
    let rest = &rest[..rest.len().min(LONGEST)];
    std::str::from_utf8(&rest[..memchr::memchr(0, rest)?]).ok()
}

/// `name-version-release.src.rpm`.
fn source_of(file: &str, epoch: &str) -> Option<Source> {
    let stem = file.strip_suffix(".src.rpm").or_else(|| file.strip_suffix(".nosrc.rpm"))?;
    let (rest, release) = stem.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    Some(Source { name: name.to_owned(), version: format!("{epoch}{version}-{release}") })
}
