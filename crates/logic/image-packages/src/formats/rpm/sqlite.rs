//! `rpmdb.sqlite`: one table of SQLite's file format, read without the library, which would be a large piece of C at
//! work on bytes that nobody trusts.
//!
//! Only what the table `Packages` needs: the schema's page, interior and leaf pages of tables, overflow chains.

use super::{be_u16, be_u32, header, slice};
use crate::Package;

const MAGIC: &[u8] = b"SQLite format 3\0";
const LEAF: u8 = 0x0d;
const INTERIOR: u8 = 0x05;
/// The first page begins with the file's header.
const FILE_HEADER: usize = 100;
const DEEPEST: u32 = 32;

/// Whether the database may have a write-ahead log, as its header says.
pub(crate) fn has_log(content: &[u8]) -> bool {
    content.starts_with(MAGIC) && content.get(18..20) == Some(&[2, 2])
}

struct Database<'a> {
    content: &'a [u8],
    page: usize,
    usable: usize,
}

/// The packages of the database.
pub(crate) fn parse(content: &[u8]) -> Vec<Package> {
    let Some(database) = Database::of(content) else { return Vec::new() };
    let mut root = None;
    database.walk(1, &mut |record| {
        // type, name, tbl_name, rootpage, sql
        let columns = columns(&record);
        let text = |index: usize| columns.get(index).copied().unwrap_or_default();
        if text(0) == b"table" && text(1) == b"Packages" {
            root = Some(text(3).iter().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte)));
        }
    });
    let mut packages = Vec::new();
    if let Some(root) = root {
        database.walk(root, &mut |record| {
            // hnum, which is the row's own number and so absent here, and the header.
            packages.extend(columns(&record).get(1).and_then(|blob| header::parse(blob)));
        });
    }
    packages
}

impl<'a> Database<'a> {
    fn of(content: &'a [u8]) -> Option<Self> {
        if !content.starts_with(MAGIC) {
            return None;
        }
        let page = match be_u16(content, 16)? {
            1 => 65_536,
            size => size,
        };
        let usable = page.checked_sub(usize::from(*content.get(20)?))?;
        ((512..=65_536).contains(&page) && page.is_power_of_two() && usable >= 480).then_some(Self {
            content,
            page,
            usable,
        })
    }

    fn walk(&self, root: usize, visit: &mut dyn FnMut(Vec<u8>)) {
        // No table has more pages than the file: a cycle ends here.
        let mut pages = self.content.len() / self.page + 1;
        self.table(root, DEEPEST, &mut pages, visit);
    }

    fn table(
        &self,
        number: usize,
        depth: u32,
        pages: &mut usize,
        visit: &mut dyn FnMut(Vec<u8>),
    ) -> Option<()> {
        *pages = pages.checked_sub(1)?;
        let depth = depth.checked_sub(1)?;
        let page = self.page(number)?;
        let start = if number == 1 { FILE_HEADER } else { 0 };
        let kind = *page.get(start)?;
        let cells = be_u16(page, start + 3)?;
        let offsets = start + if kind == INTERIOR { 12 } else { 8 };
        for index in 0..cells {
            let Some(cell) = be_u16(page, offsets + 2 * index) else { break };
            match kind {
                INTERIOR => {
                    self.table(be_u32(page, cell)? as usize, depth, pages, visit);
                }
                LEAF => {
                    if let Some(record) = self.record(page, cell) {
                        visit(record);
                    }
                }
                _ => return None,
            }
        }
        if kind == INTERIOR {
            self.table(be_u32(page, start + 8)? as usize, depth, pages, visit);
        }
        Some(())
    }

    fn page(&self, number: usize) -> Option<&'a [u8]> {
        slice(self.content, number.checked_sub(1)?.checked_mul(self.page)?, self.page)
    }

    /// The payload of a leaf's cell, with what lies on overflow pages.
    fn record(&self, page: &[u8], cell: usize) -> Option<Vec<u8>> {
        let (length, used) = varint(page.get(cell..)?)?;
        let length = usize::try_from(length).ok().filter(|length| *length <= self.content.len())?;
        let row = cell + used;
        let (_, used) = varint(page.get(row..)?)?;
        let start = row + used;
        // The rule of the file format for how much stays in the page.
        let most = self.usable - 35;
        let local = if length <= most {
            length
        } else {
            let least = (self.usable - 12) * 32 / 255 - 23;
            let fit = least + (length - least) % (self.usable - 4);
            if fit <= most { fit } else { least }
        };
        let mut record = Vec::with_capacity(length);
        record.extend_from_slice(slice(page, start, local)?);
        let mut next = if local < length { be_u32(page, start + local)? } else { 0 };
        while record.len() < length {
            let page = self.page(next as usize)?;
            let bytes = slice(page, 4, (self.usable - 4).min(length - record.len()))?;
            record.extend_from_slice(bytes);
            next = be_u32(page, 0)?;
        }
        Some(record)
    }
}

/// The columns of a record, each as its bytes.
fn columns(record: &[u8]) -> Vec<&[u8]> {
    fn read(record: &[u8]) -> Option<Vec<&[u8]>> {
        let (header, mut at) = varint(record)?;
        let header = usize::try_from(header).ok().filter(|header| *header <= record.len())?;
        let mut value = header;
        let mut columns = Vec::new();
        while at < header {
            let (kind, used) = varint(record.get(at..header)?)?;
            at += used;
            let length = match kind {
                0 | 8 | 9 => 0,
                1..=4 => usize::try_from(kind).ok()?,
                5 => 6,
                6 | 7 => 8,
                // 10 and 11 are for internal use and never stored.
                kind => usize::try_from(kind.checked_sub(12)? / 2).ok()?,
            };
            columns.push(slice(record, value, length)?);
            value += length;
        }
        Some(columns)
    }
    read(record).unwrap_or_default()
}

/// A number of one to nine bytes, and how many they were.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        if index == 8 {
            return Some(((value << 8) | u64::from(*byte), 9));
        }
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}
