//! `Packages`: a hash table of Berkeley DB, as RPM wrote it until 4.16. Pages are of the machine's byte order.

use super::{header, slice};
use crate::Package;

const MAGIC: u32 = 0x0006_1561;
const MAGIC_AT: usize = 12;
const PAGE_SIZE_AT: usize = 20;
const PAGE_HEADER: usize = 26;
const TYPE_AT: usize = 25;
const HASH_UNSORTED: u8 = 2;
const OVERFLOW: u8 = 7;
const HASH: u8 = 13;
const ITEM_INLINE: u8 = 1;
const ITEM_OVERFLOW: u8 = 3;
/// Most bytes of one header, as RPM itself bounds it.
const LARGEST_HEADER: usize = 256 << 20;

struct Pages<'a> {
    content: &'a [u8],
    size: usize,
    big_endian: bool,
}

/// The packages of the table.
pub(crate) fn parse(content: &[u8]) -> Vec<Package> {
    let Some(pages) = Pages::of(content) else { return Vec::new() };
    let mut packages = Vec::new();
    for page in content.chunks_exact(pages.size) {
        if matches!(page[TYPE_AT], HASH | HASH_UNSORTED) {
            pages.items(page, &mut packages);
        }
    }
    packages
}

impl<'a> Pages<'a> {
    fn of(content: &'a [u8]) -> Option<Self> {
        let magic = super::le_u32(content, MAGIC_AT)?;
        let big_endian = match magic {
            MAGIC => false,
            magic if magic.swap_bytes() == MAGIC => true,
            _ => return None,
        };
        let mut pages = Self { content, size: 0, big_endian };
        pages.size = pages.u32(content, PAGE_SIZE_AT)? as usize;
        (512..=65_536).contains(&pages.size).then_some(pages).filter(|pages| pages.size.is_power_of_two())
    }

    fn u32(&self, bytes: &[u8], offset: usize) -> Option<u32> {
        let value = super::le_u32(bytes, offset)?;
        Some(if self.big_endian { value.swap_bytes() } else { value })
    }

    fn u16(&self, bytes: &[u8], offset: usize) -> Option<usize> {
        let bytes = slice(bytes, offset, 2)?;
        let bytes = [bytes[0], bytes[1]];
        Some(usize::from(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }))
    }

    /// Items are keys and values in turn; their offsets follow the page's header, their bytes grow from its end.
    fn items(&self, page: &[u8], packages: &mut Vec<Package>) {
        let count = self.u16(page, 20).unwrap_or(0).min((page.len() - PAGE_HEADER) / 2);
        let mut end = page.len();
        for index in 0..count {
            let Some(start) = self.u16(page, PAGE_HEADER + 2 * index) else { return };
            let item = page.get(start..end);
            end = start;
            let Some(item) = item.filter(|_| index % 2 == 1) else { continue };
            let package = match item.first() {
                Some(&ITEM_INLINE) => header::parse(&item[1..]),
                Some(&ITEM_OVERFLOW) => self.overflow(item).and_then(|blob| header::parse(&blob)),
                _ => None,
            };
            packages.extend(package);
        }
    }

    /// A value on a chain of pages of its own.
    fn overflow(&self, item: &[u8]) -> Option<Vec<u8>> {
        let mut number = self.u32(item, 4)?;
        let length = self.u32(item, 8)? as usize;
        if length > LARGEST_HEADER.min(self.content.len()) {
            return None;
        }
        let mut blob = Vec::with_capacity(length);
        while blob.len() < length && number != 0 {
            let page = slice(self.content, (number as usize).checked_mul(self.size)?, self.size)?;
            if page[TYPE_AT] != OVERFLOW {
                return None;
            }
            let used = self.u16(page, 22)?;
            // A page without bytes would let a chain go round for ever.
            let bytes = slice(page, PAGE_HEADER, used).filter(|bytes| !bytes.is_empty())?;
            blob.extend_from_slice(&bytes[..bytes.len().min(length - blob.len())]);
            number = self.u32(page, 16)?;
        }
        (blob.len() == length).then_some(blob)
    }
}
