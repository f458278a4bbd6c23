//! RPM's databases. All three formats hold the same header of each package.

pub(crate) mod berkeley;
mod header;
pub(crate) mod ndb;
pub(crate) mod sqlite;
pub(crate) mod wal;

/// The bytes of `length` at `offset`.
fn slice(content: &[u8], offset: usize, length: usize) -> Option<&[u8]> {
    content.get(offset..offset.checked_add(length)?)
}

fn be_u16(content: &[u8], offset: usize) -> Option<usize> {
    let bytes = slice(content, offset, 2)?;
    Some(usize::from(u16::from_be_bytes([bytes[0], bytes[1]])))
}

fn be_u32(content: &[u8], offset: usize) -> Option<u32> {
    let bytes = slice(content, offset, 4)?;
    Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

fn le_u32(content: &[u8], offset: usize) -> Option<u32> {
    be_u32(content, offset).map(u32::swap_bytes)
}
