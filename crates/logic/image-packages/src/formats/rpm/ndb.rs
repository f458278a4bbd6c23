//! `Packages.db`: RPM's own format, as SUSE uses it. Slots say where blobs lie, in blocks of 16 bytes.

use super::{header, le_u32, slice};
use crate::Package;

const MAGIC: &[u8] = b"RpmP";
const SLOT_MAGIC: &[u8] = b"Slot";
const BLOB_MAGIC: &[u8] = b"BlbS";
const SLOT_PAGES_AT: usize = 12;
const PAGE: usize = 4096;
const HEADER: usize = 32;
const SLOT: usize = 16;
const BLOCK: usize = 16;
const BLOB_HEADER: usize = 16;

/// The packages of the database.
pub(crate) fn parse(content: &[u8]) -> Vec<Package> {
    if !content.starts_with(MAGIC) {
        return Vec::new();
    }
    let pages = le_u32(content, SLOT_PAGES_AT).unwrap_or(0) as usize;
    let slots = content.get(HEADER..pages.saturating_mul(PAGE).min(content.len())).unwrap_or_default();
    slots.chunks_exact(SLOT).filter_map(|slot| blob(content, slot).and_then(header::parse)).collect()
}

fn blob<'a>(content: &'a [u8], slot: &[u8]) -> Option<&'a [u8]> {
    let index = le_u32(slot, 4)?;
    if !slot.starts_with(SLOT_MAGIC) || index == 0 {
        return None;
    }
    let offset = (le_u32(slot, 8)? as usize).checked_mul(BLOCK)?;
    let head = slice(content, offset, BLOB_HEADER)?;
    if !head.starts_with(BLOB_MAGIC) || le_u32(head, 4)? != index {
        return None;
    }
    slice(content, offset + BLOB_HEADER, le_u32(head, 12)? as usize)
}
