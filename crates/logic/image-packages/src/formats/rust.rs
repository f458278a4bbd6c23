//! The list of crates that `cargo auditable` links into a binary: zlib-compressed JSON in the section `.dep-v0`.

use crate::{Ecosystem, Package};
use flate2::read::ZlibDecoder;
use object::read::elf::{ElfFile32, ElfFile64};
use object::{Object, ObjectSection};
use serde::Deserialize;
use std::io::Read;

const SECTION: &str = ".dep-v0";
/// Most bytes of the list, decompressed.
const LONGEST: u64 = 8 << 20;

#[derive(Deserialize)]
struct Audited {
    packages: Vec<Crate>,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    version: String,
    #[serde(default)]
    source: String,
    kind: Option<String>,
}

/// The crates of a binary; empty when it says nothing of them.
pub(crate) fn parse(content: &[u8]) -> Vec<Package> {
    // Most binaries have no such section; looking for its name is cheaper than reading all headers.
    if memchr::memmem::find(content, SECTION.as_bytes()).is_none() {
        return Vec::new();
    }
    let section = section::<ElfFile64<'_>>(content, ElfFile64::parse)
        .or_else(|| section::<ElfFile32<'_>>(content, ElfFile32::parse));
    section.map(crates).unwrap_or_default()
}

fn section<'d, F: Object<'d>>(
    content: &'d [u8],
    parse: impl Fn(&'d [u8]) -> object::Result<F>,
) -> Option<Vec<u8>> {
    let file = parse(content).ok()?;
    Some(file.section_by_name(SECTION)?.data().ok()?.to_vec())
}

fn crates(section: Vec<u8>) -> Vec<Package> {
    let mut text = Vec::new();
    let read = ZlibDecoder::new(section.as_slice()).take(LONGEST).read_to_end(&mut text);
    let Ok(audited) =
        read.map_err(|_| ()).and_then(|_| serde_json::from_slice::<Audited>(&text).map_err(|_| ()))
    else {
        return Vec::new();
    };
    let mut packages = Vec::new();
    for found in audited.packages {
        // What only ran while building is not in the binary; local crates have no advisories.
        if found.kind.as_deref() == Some("build") || found.source == "local" {
            continue;
        }
        packages.push(Package::new(Ecosystem::Cargo, found.name, found.version));
    }
    packages.retain(Package::is_plausible);
    packages
}
