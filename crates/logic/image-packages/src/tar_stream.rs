//! Entries of a tar stream, with long names of the GNU and POSIX forms.
//!
//! The `tar` crate reads headers here; its own iteration is not used because it takes long names of any size into memory.

use crate::budget::Budget;
use std::io::{self, Read};
use tar::{EntryType, Header};

const BLOCK: u64 = 512;
/// Longest name or POSIX header of an entry.
const LONGEST_NAME: u64 = 1 << 20;

/// What an entry is, as far as packages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    HardLink,
    /// A symbolic link, a device, a pipe: it hides what was there and has no content.
    Other,
}

/// The head of an entry.
pub(crate) struct Head {
    pub(crate) kind: Kind,
    pub(crate) path: Vec<u8>,
    pub(crate) link: Vec<u8>,
    pub(crate) size: u64,
    pub(crate) executable: bool,
}

/// Reads entries in order. The content of the one returned last is read through [`TarStream::content`].
pub(crate) struct TarStream<R> {
    reader: R,
    /// Bytes of the content that were not read yet, and of the padding behind it.
    content: u64,
    padding: u64,
}

impl<R: Read> TarStream<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, content: 0, padding: 0 }
    }

    /// The next entry; `None` at the end.
    pub(crate) fn next(&mut self, budget: &Budget<'_>) -> io::Result<Option<Head>> {
        let (mut path, mut link, mut size) = (None, None, None);
        loop {
            budget.entry()?;
            self.skip()?;
            let Some(header) = self.header()? else { return Ok(None) };
            let header_size = header.entry_size()?;
            match header.entry_type() {
                EntryType::GNULongName => path = Some(self.text(header_size)?),
                EntryType::GNULongLink => link = Some(self.text(header_size)?),
                EntryType::XHeader => {
                    let records = self.text(header_size)?;
                    for (key, value) in pax_records(&records) {
                        match key {
                            b"path" => path = Some(value.to_vec()),
                            b"linkpath" => link = Some(value.to_vec()),
                            b"size" => {
                                size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                            }
                            _ => {}
                        }
                    }
                }
                EntryType::XGlobalHeader => self.expect(header_size),
                kind => {
                    let size = size.unwrap_or(header_size);
                    self.expect(if has_content(kind) { size } else { 0 });
                    return Ok(Some(Head {
                        kind: kind_of(kind),
                        path: path.unwrap_or_else(|| header.path_bytes().into_owned()),
                        link: link
                            .or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned))
                            .unwrap_or_default(),
                        size: self.content,
                        executable: header.mode().is_ok_and(|mode| mode & 0o111 != 0),
                    }));
                }
            }
        }
    }

    /// The content of the entry returned last; what is left unread is skipped.
    pub(crate) fn content(&mut self) -> Content<'_, R> {
        Content(self)
    }

    /// A header; the end is a block of zeros or the end of the stream.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let mut header = Header::new_old();
        let block = header.as_mut_bytes();
        let mut filled = 0;
        while filled < block.len() {
            match self.reader.read(&mut block[filled..])? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => filled += read,
            }
        }
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let sum: u32 = block
            .iter()
            .enumerate()
            .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
            .sum();
        if header.cksum()? != sum {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the checksum of a tar header is wrong"));
        }
        Ok(Some(header))
    }

    fn expect(&mut self, size: u64) {
        self.content = size;
        self.padding = (BLOCK - size % BLOCK) % BLOCK;
    }

    fn text(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > LONGEST_NAME {
            return Err(crate::budget::exceeded("bytes of a name", LONGEST_NAME));
        }
        self.expect(size);
        let mut text = Vec::new();
        self.content().read_to_end(&mut text)?;
        while text.last() == Some(&0) {
            text.pop();
        }
        Ok(text)
    }

    fn skip(&mut self) -> io::Result<()> {
        let rest = self.content.saturating_add(self.padding);
        (self.content, self.padding) = (0, 0);
        let skipped = io::copy(&mut self.reader.by_ref().take(rest), &mut io::sink())?;
        if skipped < rest { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

/// Reads the content of an entry.
pub(crate) struct Content<'t, R>(&'t mut TarStream<R>);

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.0.content).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let read = self.0.reader.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.0.content -= read as u64;
        Ok(read)
    }
}

fn kind_of(kind: EntryType) -> Kind {
    match kind {
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => Kind::File,
        EntryType::Directory => Kind::Directory,
        EntryType::Link => Kind::HardLink,
        _ => Kind::Other,
    }
}

fn has_content(kind: EntryType) -> bool {
    !matches!(
        kind,
        EntryType::Link
            | EntryType::Symlink
            | EntryType::Char
            | EntryType::Block
            | EntryType::Directory
            | EntryType::Fifo
    )
}

/// Records of the form `length key=value\n`; reading stops at the first that is none.
fn pax_records(mut text: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut records = Vec::new();
    while let Some(space) = memchr::memchr(b' ', text) {
        let length = std::str::from_utf8(&text[..space]).ok().and_then(|length| length.parse::<usize>().ok());
        let Some(record) =
            length.filter(|length| *length > space).and_then(|length| text.get(space + 1..length))
        else {
            break;
        };
        let rest = &text[space + 1 + record.len()..];
        let record = record.strip_suffix(b"\n").unwrap_or(record);
        if let Some(equals) = memchr::memchr(b'=', record) {
            records.push((&record[..equals], &record[equals + 1..]));
        }
        text = rest;
    }
    records
}
