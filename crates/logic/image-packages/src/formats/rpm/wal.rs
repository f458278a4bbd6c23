//! The write-ahead log of an SQLite database: pages that were changed and not yet written into the database itself.
//!
//! A log has a header and frames of a page each. A frame counts when its checksum goes on from the one before and a frame
//! at or behind it ends a transaction; what follows is a transaction that never ended, or of an earlier use of the file.

use super::{be_u32, slice};

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// With the lowest bit the checksums are over big-endian words.
const MAGIC: usize = 0x377f_0682;

/// The database with what its log says; `None` when the log says nothing.
pub(crate) fn applied(database: &[u8], log: &[u8]) -> Option<Vec<u8>> {
    let magic = be_u32(log, 0)? as usize;
    if magic & !1 != MAGIC {
        return None;
    }
    let word = if magic & 1 == 1 { u32::from_be_bytes } else { u32::from_le_bytes };
    let page = be_u32(log, 8)? as usize;
    if !(512..=65_536).contains(&page) || !page.is_power_of_two() {
        return None;
    }
    let mut sum = Sum { one: 0, two: 0, word };
    sum.add(slice(log, 0, 24)?);
    if !sum.is(log, 24) {
        return None;
    }
    let salts = slice(log, 16, 8)?;
    let frame_size = FRAME_HEADER + page;
    // Pages and the size of the database up to the last end of a transaction.
    let (mut pages, mut ended) = (Vec::new(), None);
    for frame in log.get(HEADER..)?.chunks_exact(frame_size) {
        let (head, content) = frame.split_at(FRAME_HEADER);
        sum.add(&head[..8]);
        sum.add(content);
        if head.get(8..16) != Some(salts) || !sum.is(head, 16) {
            break;
        }
        pages.push((be_u32(head, 0)? as usize, content));
        let size = be_u32(head, 4)? as usize;
        if size > 0 {
            ended = Some((pages.len(), size));
        }
    }
    let (count, size) = ended?;
    // No transaction makes more pages than it writes.
    let most = database.len() / page + count;
    let mut merged = database.to_vec();
    merged.resize(size.min(most) * page, 0);
    for (number, content) in &pages[..count] {
        let start = number.checked_sub(1)?.checked_mul(page)?;
        // A page behind the end was given back by a later transaction.
        if let Some(place) = merged.get_mut(start..start + page) {
            place.copy_from_slice(content);
        }
    }
    Some(merged)
}

/// The checksum of the file format.
struct Sum {
    one: u32,
    two: u32,
    word: fn([u8; 4]) -> u32,
}

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        for pair in bytes.chunks_exact(8) {
            // Both halves have four bytes.
            let (first, second) = (
                (self.word)([pair[0], pair[1], pair[2], pair[3]]),
                (self.word)([pair[4], pair[5], pair[6], pair[7]]),
            );
            self.one = self.one.wrapping_add(first).wrapping_add(self.two);
            self.two = self.two.wrapping_add(second).wrapping_add(self.one);
        }
    }

    /// Whether it stands at a place; there it is big-endian always.
    fn is(&self, bytes: &[u8], at: usize) -> bool {
        be_u32(bytes, at) == Some(self.one) && be_u32(bytes, at + 4) == Some(self.two)
    }
}
