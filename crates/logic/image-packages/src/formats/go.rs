//! The build information that Go links into every binary.

use super::lines;
use crate::{Ecosystem, Package};
use memchr::memmem;

/// Stand around the list of modules, in binaries of every Go version with modules.
const MODULES_START: &[u8] = b"\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6";
const MODULES_END: &[u8] = b"\xf9\x32\x43\x31\x86\x18\x20\x72\x00\x82\x42\x10\x41\x16\xd8\xf2";
/// Begins the block that names the compiler's version, since Go 1.18 in the block itself.
const BLOCK: &[u8] = b"\xff Go buildinf:";
const BLOCK_HEADER: usize = 32;
const INLINE: u8 = 2;
/// Longest list of modules.
pub(crate) const LONGEST: usize = 1 << 20;

/// The modules of a binary; empty when it is not Go's.
pub(crate) fn parse(content: &[u8]) -> Vec<Package> {
    let Some(modules) = modules(content) else { return Vec::new() };
    let mut packages = Vec::new();
    if let Some(version) = compiler(content) {
        packages.push(Package::new(Ecosystem::Go, "stdlib", version));
    }
    for line in lines(modules) {
        let mut fields = line.split('\t');
        let (kind, name, version) = (fields.next(), fields.next(), fields.next());
        let (Some(kind), Some(name), Some(version)) = (kind, name, version) else { continue };
        match kind {
            "dep" | "mod" => packages.push(Package::new(Ecosystem::Go, name, version)),
            // What follows a module stands in for it.
            "=>" => {
                packages.pop();
                packages.push(Package::new(Ecosystem::Go, name, version));
            }
            _ => {}
        }
    }
    // A binary built from a checkout has no version of its own.
    packages.retain(|package| package.version != "(devel)" && package.is_plausible());
    packages
}

/// The text of the list.
fn modules(content: &[u8]) -> Option<&[u8]> {
    let finder = memmem::Finder::new(MODULES_START);
    for start in finder.find_iter(content) {
        let text = &content[start + MODULES_START.len()..];
        let text = &text[..text.len().min(LONGEST)];
        if let Some(end) = memmem::find(text, MODULES_END)
            && (text.starts_with(b"path\t") || text.starts_with(b"mod\t"))
        {
            return Some(&text[..end]);
        }
    }
    None
}

/// `1.22.1` of `go1.22.1`.
fn compiler(content: &[u8]) -> Option<String> {
    for start in memmem::find_iter(content, BLOCK) {
        let block = &content[start..];
        if block.len() < BLOCK_HEADER + 2 || block[15] & INLINE == 0 {
            continue;
        }
        // The length is a varint; versions are shorter than 128 bytes.
        let length = usize::from(block[BLOCK_HEADER]);
        let text = block.get(BLOCK_HEADER + 1..BLOCK_HEADER + 1 + length);
        let text = text.and_then(|text| std::str::from_utf8(text).ok())?;
        let version = text.strip_prefix("go")?.split(' ').next()?;
        return Some(dotted(version));
    }
    None
}

/// `1.21rc2` as a semantic version, `1.21.0-rc.2`, as advisories write it.
fn dotted(version: &str) -> String {
    let Some(at) = version.find(|c: char| c.is_ascii_alphabetic()) else { return version.to_owned() };
    let (numbers, pre) = version.split_at(at);
    let word = pre.trim_end_matches(|c: char| c.is_ascii_digit());
    let zero = if numbers.matches('.').count() == 1 { ".0" } else { "" };
    format!("{numbers}{zero}-{word}.{}", &pre[word.len()..])
}
