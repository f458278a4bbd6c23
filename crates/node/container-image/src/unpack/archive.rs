//! Reads tar archives entry by entry: ustar, GNU and PAX.
//!
//! Header fields are decoded by the `tar` crate. Walking the archive is done here, because extended headers come
//! from strangers: they are bounded, and their records are cut by length, so that a value with a line break
//! (a file capability, say) is neither torn nor able to smuggle in a record of its own.

use super::LayerError;
use std::io::Read;
use tar::{EntryType, GnuExtSparseHeader, GnuSparseHeader, Header};

const BLOCK: u64 = 512;
/// The longest extended header; paths end at 4 KiB and attributes at 64 KiB, so this is ample.
const MAX_EXTENSION: u64 = 1 << 20;
/// The most pieces of a sparse file.
const MAX_PIECES: usize = 65_536;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    Symlink,
    HardLink,
    Character { major: u32, minor: u32 },
    Block { major: u32, minor: u32 },
    Fifo,
}

/// One entry, without its content.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) path: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u32,
    /// Seconds and nanoseconds since 1970.
    pub(super) modified: (i64, i64),
    /// Length of the content, holes included.
    pub(super) size: u64,
    /// Where the stored bytes of a sparse file go: offset and length, ascending.
    pub(super) pieces: Option<Vec<(u64, u64)>>,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The archive being read.
pub(super) struct Archive<R> {
    input: R,
    /// Stored bytes of the current entry not read yet, and the padding after them.
    remaining: u64,
    padding: u64,
}

/// What extended headers say about the entry that follows them.
#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    modified: Option<(i64, i64)>,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<R: Read> Archive<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, remaining: 0, padding: 0 }
    }

    /// The next entry; what was left of the one before is passed over. `None` at the end of the archive.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, LayerError> {
        let mut extensions = Extensions::default();
        let mut extended = 0u8;
        loop {
            self.pass_over()?;
            let Some(header) = self.header()? else {
                return if extended == 0 {
                    Ok(None)
                } else {
                    Err(damaged("an extended header without entry"))
                };
            };
            let size = header.entry_size().map_err(damaged)?;
            match header.entry_type() {
                EntryType::GNULongName => extensions.path = Some(until_nul(self.extension(size)?)),
                EntryType::GNULongLink => extensions.link = Some(until_nul(self.extension(size)?)),
                EntryType::XHeader => extensions.read(&self.extension(size)?)?,
                // Global headers carry comments (git puts the commit there); none of it concerns an entry.
                EntryType::XGlobalHeader => drop(self.extension(size)?),
                _ => return self.entry(&header, extensions).map(Some),
            }
            extended += 1;
            if extended > 16 {
                return Err(damaged("too many extended headers in a row"));
            }
        }
    }

    /// Stored bytes of the current entry; 0 at their end.
    pub(super) fn read_content(&mut self, buffer: &mut [u8]) -> Result<usize, LayerError> {
        let wanted = buffer.len().min(usize::try_from(self.remaining).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let read = read_some(&mut self.input, &mut buffer[..wanted])?;
        if read == 0 {
            return Err(damaged("the archive ends inside a file"));
        }
        self.remaining -= read as u64;
        Ok(read)
    }

    /// Reads to the end of the input, past the end of the archive.
    pub(super) fn finish(mut self) -> Result<(), LayerError> {
        let mut buffer = [0u8; 16 * 1024];
        while read_some(&mut self.input, &mut buffer)? > 0 {}
        Ok(())
    }

    fn pass_over(&mut self) -> Result<(), LayerError> {
        let mut buffer = [0u8; 16 * 1024];
        while self.read_content(&mut buffer)? > 0 {}
        self.remaining = std::mem::take(&mut self.padding);
        while self.read_content(&mut buffer)? > 0 {}
        Ok(())
    }

    /// The next header block; `None` at two zero blocks, one zero block, or the end of the input.
    fn header(&mut self) -> Result<Option<Header>, LayerError> {
        let mut header = Header::new_old();
        if !self.block(header.as_mut_bytes())? || header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let bytes = header.as_bytes();
        let sum: u32 =
            bytes[..148].iter().chain(&bytes[156..]).map(|byte| u32::from(*byte)).sum::<u32>() + 8 * 32;
        if header.cksum().map_err(damaged)? != sum {
            return Err(damaged("header checksum mismatch"));
        }
        Ok(Some(header))
    }

    /// Fills one block; `false` when the input ended before it.
    fn block(&mut self, block: &mut [u8; BLOCK as usize]) -> Result<bool, LayerError> {
        let mut filled = 0;
        while filled < block.len() {
            match read_some(&mut self.input, &mut block[filled..])? {
                0 if filled == 0 => return Ok(false),
                0 => return Err(damaged("the archive ends inside a header")),
                read => filled += read,
            }
        }
        Ok(true)
    }

    fn begin_content(&mut self, stored: u64) {
        self.remaining = stored;
        self.padding = stored.next_multiple_of(BLOCK) - stored;
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>, LayerError> {
        if size > MAX_EXTENSION {
            return Err(damaged("an extended header is too long"));
        }
        self.begin_content(size);
        let mut content = vec![0; size as usize];
        let mut filled = 0;
        while filled < content.len() {
            filled += self.read_content(&mut content[filled..])?;
        }
        Ok(content)
    }

    fn entry(&mut self, header: &Header, extensions: Extensions) -> Result<Entry, LayerError> {
        let path = extensions.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let device = || -> Result<(u32, u32), LayerError> {
            Ok((
                header.device_major().map_err(damaged)?.unwrap_or(0),
                header.device_minor().map_err(damaged)?.unwrap_or(0),
            ))
        };
        let kind = match header.entry_type() {
            // Before ustar a directory was a file whose name ends with a slash.
            EntryType::Regular if path.ends_with(b"/") => Kind::Directory,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => Kind::File,
            EntryType::Directory => Kind::Directory,
            EntryType::Symlink => Kind::Symlink,
            EntryType::Link => Kind::HardLink,
            EntryType::Char => device().map(|(major, minor)| Kind::Character { major, minor })?,
            EntryType::Block => device().map(|(major, minor)| Kind::Block { major, minor })?,
            EntryType::Fifo => Kind::Fifo,
            other => return Err(damaged(format!("unknown entry type {:#04x}", other.as_byte()))),
        };
        let stored = match (extensions.size, kind) {
            (Some(size), Kind::File) => size,
            (None, Kind::File) => header.entry_size().map_err(damaged)?,
            // Some writers note the link target's size here, with no content following.
            (_, Kind::HardLink | Kind::Symlink) => 0,
            (size, _) => size.map_or_else(|| header.entry_size().map_err(damaged), Ok)?,
        };
        if stored > u64::MAX / 4 {
            return Err(damaged("an impossible size"));
        }
        let (size, pieces) = if header.entry_type() == EntryType::GNUSparse {
            let (size, pieces) = self.sparse_map(header, stored)?;
            (size, Some(pieces))
        } else {
            (stored, None)
        };
        self.begin_content(stored);
        let id = |wide: Option<u64>, narrow: std::io::Result<u64>| -> Result<u32, LayerError> {
            let value = wide.map_or_else(|| narrow.map_err(damaged), Ok)?;
            u32::try_from(value).map_err(|_| damaged("an owner that cannot exist"))
        };
        Ok(Entry {
            kind,
            link: extensions
                .link
                .or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned))
                .unwrap_or_default(),
            path,
            uid: id(extensions.uid, header.uid())?,
            gid: id(extensions.gid, header.gid())?,
            mode: header.mode().map_err(damaged)? & 0o7777,
            modified: match extensions.modified {
                Some(modified) => modified,
                None => (header.mtime().map_err(damaged)?.min(i64::MAX as u64) as i64, 0),
            },
            size,
            pieces,
            xattrs: extensions.xattrs,
        })
    }

    /// The map of a GNU sparse file, which starts in its header and goes on in blocks before the content.
    fn sparse_map(&mut self, header: &Header, stored: u64) -> Result<(u64, Vec<(u64, u64)>), LayerError> {
        let gnu = header.as_gnu().ok_or_else(|| damaged("a sparse file without GNU header"))?;
        let mut map = Vec::new();
        collect_pieces(&mut map, &gnu.sparse)?;
        let mut more = gnu.is_extended();
        while more {
            let mut block = GnuExtSparseHeader::new();
            if !self.block(block.as_mut_bytes())? {
                return Err(damaged("the archive ends inside a sparse map"));
            }
            collect_pieces(&mut map, &block.sparse)?;
            more = block.is_extended();
        }
        let size = gnu.real_size().map_err(damaged)?;
        let mut end = 0u64;
        let mut total = 0u64;
        for (offset, length) in &map {
            if *offset < end {
                return Err(damaged("overlapping pieces of a sparse file"));
            }
            end = offset.checked_add(*length).ok_or_else(|| damaged("an impossible sparse file"))?;
            total += length;
        }
        if end > size || total != stored {
            return Err(damaged("a sparse map that does not fit its file"));
        }
        Ok((size, map))
    }
}

fn collect_pieces(map: &mut Vec<(u64, u64)>, pieces: &[GnuSparseHeader]) -> Result<(), LayerError> {
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        if map.len() == MAX_PIECES {
            return Err(damaged("a sparse file of too many pieces"));
        }
        map.push((piece.offset().map_err(damaged)?, piece.length().map_err(damaged)?));
    }
    Ok(())
}

impl Extensions {
    /// Takes over the records of a PAX header: `LENGTH KEY=VALUE\n`, the length counting all of it.
    fn read(&mut self, mut records: &[u8]) -> Result<(), LayerError> {
        let malformed = || damaged("malformed extended header");
        while !records.is_empty() {
            let space = records.iter().position(|byte| *byte == b' ').ok_or_else(malformed)?;
            let length: usize = number(&records[..space]).ok_or_else(malformed)? as usize;
            if length <= space + 1 || length > records.len() || records[length - 1] != b'\n' {
                return Err(malformed());
            }
            let record = &records[space + 1..length - 1];
            records = &records[length..];
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(malformed)?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" => self.path = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.size = Some(number(value).ok_or_else(malformed)?),
                b"uid" => self.uid = Some(number(value).ok_or_else(malformed)?),
                b"gid" => self.gid = Some(number(value).ok_or_else(malformed)?),
                b"mtime" => self.modified = Some(seconds(value).ok_or_else(malformed)?),
                key if key.starts_with(b"GNU.sparse.") => {
                    return Err(damaged("sparse files in PAX form are not supported"));
                }
                key => {
                    if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                        self.xattrs.push((name.to_vec(), value.to_vec()));
                    }
                }
            }
        }
        Ok(())
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `-12.25` as seconds and nanoseconds, the latter never negative.
fn seconds(text: &[u8]) -> Option<(i64, i64)> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: i64 = whole.parse().ok()?;
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let nanos: i64 = digits.parse::<u32>().ok()?.into();
    Some(if text.starts_with('-') && nanos > 0 {
        (whole.checked_sub(1)?, 1_000_000_000 - nanos)
    } else {
        (whole, nanos)
    })
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}

pub(super) fn damaged(reason: impl ToString) -> LayerError {
    LayerError::Damaged(reason.to_string())
}

/// One read; what the layers below report through [`std::io::Error`] comes back as the error it was.
fn read_some(input: &mut impl Read, buffer: &mut [u8]) -> Result<usize, LayerError> {
    loop {
        match input.read(buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(match error.downcast::<LayerError>() {
                    Ok(layer) => layer,
                    Err(error) => damaged(error),
                });
            }
            Ok(read) => return Ok(read),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
        let body = key.len() + value.len() + 3;
        let length =
            (body..body + 9).find(|length| length.to_string().len() + body == *length).expect("finite");
        [length.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
    }

    #[test]
    fn records_are_cut_by_length() {
        let mut read = Extensions::default();
        let capability = b"\x01\0\0\x02\n12 uid=0\n";
        let records = [record(b"SCHILY.xattr.security.capability", capability), record(b"mtime", b"-1.5")];
        read.read(&records.concat()).expect("reads");
        assert_eq!(read.xattrs, [(b"security.capability".to_vec(), capability.to_vec())]);
        assert_eq!((read.uid, read.modified), (None, Some((-2, 500_000_000))));
        for bad in [&b"5 a=b\n"[..], b"x a=b\n", b"0 \n", b"6 a=bc", b"99 a=b\n"] {
            assert!(Extensions::default().read(bad).is_err());
        }
    }

    #[test]
    fn giant_extended_headers_are_refused() {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::XHeader);
        header.set_size(1 << 30);
        header.set_cksum();
        let bomb = header.as_bytes().chain(std::io::repeat(b'x'));
        assert!(matches!(Archive::new(bomb).next(), Err(LayerError::Damaged(_))));
    }
}
