//! ELF files: modules of Go, crates of Rust.

use crate::formats::{go, rust};
use crate::{Limits, Package};
use std::io::{self, Read};

/// First bytes of an ELF file.
pub(crate) const MAGIC: &[u8] = b"\x7fELF";
/// Bytes in memory at a time. The list of a Rust binary is found in files up to this size, that of a Go binary in any.
const WINDOW: usize = 64 << 20;

/// Reads a binary.
pub(crate) fn parse(mut reader: impl Read, limits: &Limits) -> io::Result<Vec<Package>> {
    let window = WINDOW.min(usize::try_from(limits.file).unwrap_or(WINDOW));
    let mut content = Vec::new();
    let mut first = true;
    loop {
        let room = window.saturating_sub(content.len()) as u64;
        let read = reader.by_ref().take(room).read_to_end(&mut content)? as u64;
        let whole = first && read < room;
        let mut packages = go::parse(&content);
        if whole {
            packages.extend(rust::parse(&content));
        }
        if !packages.is_empty() || read < room || read == 0 {
            return Ok(packages);
        }
        // What lies across two windows is whole in the second.
        first = false;
        let keep = content.len().saturating_sub(go::LONGEST + 64);
        content.drain(..keep);
    }
}
