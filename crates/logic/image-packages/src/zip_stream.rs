//! Java archives, read from front to back without seeking, so that an archive of any size needs little memory, and so do
//! archives within archives.
//!
//! Entries are found by their local headers. The one thing this cannot read is a stored entry that does not say its size,
//! which no build tool writes; there reading ends.

use crate::Package;
use crate::budget::{Budget, Metered, exceeded, is_the_callers};
use crate::formats::java;
use crate::places::is_java;
use flate2::bufread::DeflateDecoder;
use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read};

const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";
const ENCRYPTED: u16 = 1;
const SIZES_FOLLOW: u16 = 8;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Longest `pom.properties` or manifest.
const LONGEST: u64 = 1 << 20;

struct Entry {
    name: String,
    flags: u16,
    method: u16,
    size: u64,
    wide: bool,
}

/// Artifacts of an archive and of those within it.
pub(crate) fn java_archive(name: &str, reader: impl Read, budget: &Budget<'_>) -> io::Result<Vec<Package>> {
    let mut packages = Vec::new();
    let mut reader = BufReader::with_capacity(64 << 10, reader);
    archive(name, "", &mut reader, budget, budget.limits.depth, &mut packages)?;
    Ok(packages)
}

fn archive(
    name: &str,
    path: &str,
    reader: &mut dyn BufRead,
    budget: &Budget<'_>,
    depth: u32,
    packages: &mut Vec<Package>,
) -> io::Result<()> {
    let before = packages.len();
    let mut manifest = None;
    // A damaged archive says what it said so far; limits are for the caller.
    let ended = entries(reader, budget, &mut |entry, content| {
        if entry.ends_with("/pom.properties") && entry.starts_with("META-INF/maven/") {
            let text = short(content)?;
            packages.extend(java::pom_properties(&text).map(|package| at(package, path)));
        } else if entry == "META-INF/MANIFEST.MF" {
            manifest = Some(short(content)?);
        } else if is_java(entry) {
            let Some(depth) = depth.checked_sub(1) else {
                return Err(exceeded("archives within each other", budget.limits.depth.into()));
            };
            let inner = entry.rsplit('/').next().unwrap_or(entry);
            archive(
                inner,
                &format!("{path}!{entry}"),
                &mut BufReader::new(content),
                budget,
                depth,
                packages,
            )?;
        }
        if packages.len() > budget.limits.packages {
            return Err(exceeded("packages", budget.limits.packages as u64));
        }
        Ok(())
    });
    if let Err(error) = ended
        && is_the_callers(&error)
    {
        return Err(error);
    }
    // An archive whose own artifact is named keeps that; shaded ones name several.
    if !packages[before..].iter().any(|package| package.path == path) {
        packages.extend(java::guess(name, manifest.as_deref()).map(|package| at(package, path)));
    }
    Ok(())
}

fn at(package: Package, path: &str) -> Package {
    Package { path: path.to_owned(), ..package }
}

fn short(content: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    content.take(LONGEST).read_to_end(&mut text)?;
    Ok(text)
}

/// Shows every entry that can be read.
fn entries(
    reader: &mut dyn BufRead,
    budget: &Budget<'_>,
    visit: &mut dyn FnMut(&str, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    while let Some(entry) = local_header(reader)? {
        budget.entry()?;
        let sized = entry.flags & SIZES_FOLLOW == 0;
        let readable = entry.flags & ENCRYPTED == 0 && !entry.name.ends_with('/');
        match entry.method {
            DEFLATED if readable => {
                deflated(reader, budget, &mut |content| visit(&entry.name, content))?;
                if !sized {
                    descriptor(reader, entry.wide)?;
                }
            }
            STORED if readable && sized => {
                let mut content = reader.take(entry.size);
                visit(&entry.name, &mut content)?;
                io::copy(&mut content, &mut io::sink())?;
            }
            _ if sized => {
                io::copy(&mut reader.take(entry.size), &mut io::sink())?;
            }
            // A folder written with sizes that follow has none.
            STORED if entry.name.ends_with('/') => descriptor(reader, entry.wide)?,
            _ => return Ok(()),
        }
    }
    Ok(())
}

/// A deflated stream says itself where it ends.
fn deflated(
    reader: &mut dyn BufRead,
    budget: &Budget<'_>,
    visit: &mut dyn FnMut(&mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    // The ratio of the layer around it is looked at already; here the total counts.
    let compressed = Cell::new(u64::MAX);
    let mut content = Metered::new(DeflateDecoder::new(reader), budget, &compressed);
    visit(&mut content)?;
    io::copy(&mut content, &mut io::sink())?;
    Ok(())
}

/// The next entry; `None` where the list of contents begins.
fn local_header(reader: &mut dyn BufRead) -> io::Result<Option<Entry>> {
    let mut signature = [0; 4];
    if reader.read_exact(&mut signature).is_err() || signature != LOCAL_HEADER {
        return Ok(None);
    }
    let mut fixed = [0; 26];
    reader.read_exact(&mut fixed)?;
    let u16_at = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
    let compressed = u32::from_le_bytes([fixed[14], fixed[15], fixed[16], fixed[17]]);
    let mut name = vec![0; usize::from(u16_at(22))];
    reader.read_exact(&mut name)?;
    let mut extra = vec![0; usize::from(u16_at(24))];
    reader.read_exact(&mut extra)?;
    let wide = wide_sizes(&extra);
    let size = match wide {
        Some(size) if compressed == u32::MAX => size,
        _ => compressed.into(),
    };
    let name = String::from_utf8_lossy(&name).into_owned();
    Ok(Some(Entry { name, flags: u16_at(2), method: u16_at(4), size, wide: wide.is_some() }))
}

/// The compressed size of the ZIP64 field.
fn wide_sizes(mut extra: &[u8]) -> Option<u64> {
    while extra.len() >= 4 {
        let kind = u16::from_le_bytes([extra[0], extra[1]]);
        let length = usize::from(u16::from_le_bytes([extra[2], extra[3]]));
        let field = extra.get(4..4 + length)?;
        if kind == 1 {
            return Some(
                field
                    .get(8..16)
                    .map_or(0, |bytes| bytes.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte))),
            );
        }
        extra = &extra[4 + length..];
    }
    None
}

/// Checksum and sizes that follow an entry, with or without a signature.
fn descriptor(reader: &mut dyn BufRead, wide: bool) -> io::Result<()> {
    let mut first = [0; 4];
    reader.read_exact(&mut first)?;
    let sizes = if wide { 16 } else { 8 };
    let rest = if first == DESCRIPTOR { 4 + sizes } else { sizes };
    io::copy(&mut reader.take(rest), &mut io::sink())?;
    Ok(())
}
