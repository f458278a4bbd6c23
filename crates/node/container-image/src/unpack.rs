//! Unpacks one layer while it streams in: decompress, verify, bound, write.
//!
//! All of this is blocking work, done on a thread of its own, fed by whoever fetches the layer.

mod archive;
mod attributes;
mod root;
#[cfg(test)]
mod tests;

pub(crate) use attributes::adopt;

use crate::error::LayerError;
use crate::options::Limits;
use archive::{Archive, Entry, damaged};
use registry_client::{Digest, Hasher};
use root::Root;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes handed from one stage to the next at a time.
const CHUNK: usize = 128 * 1024;
/// The largest zstd window we make room for, as a power of two; what `zstd --ultra` uses is 27.
const ZSTD_WINDOW: u32 = 27;

/// What an image may still cost; shared by its layers, which unpack in parallel.
pub(crate) struct Budget {
    limits: Limits,
    bytes: AtomicU64,
    entries: AtomicU64,
}

/// What came out of a layer.
#[derive(Debug)]
pub(crate) struct Unpacked {
    pub(crate) diff_id: Digest,
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
    /// Directories that no entry described.
    pub(crate) implicit: Vec<PathBuf>,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone(), bytes: AtomicU64::new(0), entries: AtomicU64::new(0) }
    }

    /// Counts bytes of a layer, present or to come.
    pub(crate) fn spend_bytes(&self, bytes: u64) -> Result<(), LayerError> {
        let limit = self.limits.unpacked_bytes;
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > limit { Err(LayerError::TooLarge { limit }) } else { Ok(()) }
    }

    /// Refuses a file whose header already says that it is too large, before any of it is written.
    fn has_room_for(&self, bytes: u64) -> Result<(), LayerError> {
        let limit = self.limits.unpacked_bytes;
        let spent = self.bytes.load(Ordering::Relaxed);
        // Some of the file may have been read, and counted, with its header.
        if bytes > limit.saturating_sub(spent).saturating_add(CHUNK as u64) {
            return Err(LayerError::TooLarge { limit });
        }
        Ok(())
    }

    /// Counts entries of a layer, present or to come.
    pub(crate) fn spend_entries(&self, entries: u64) -> Result<(), LayerError> {
        let limit = self.limits.entries;
        let before = self.entries.fetch_add(entries, Ordering::Relaxed);
        if before.saturating_add(entries) > limit {
            Err(LayerError::TooManyEntries { limit })
        } else {
            Ok(())
        }
    }

    /// Gives back what a failed attempt has spent.
    pub(crate) fn refund(&self, spent: &Spent) {
        self.bytes.fetch_sub(spent.bytes.load(Ordering::Relaxed), Ordering::Relaxed);
        self.entries.fetch_sub(spent.entries.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// What one attempt at a layer has spent of the budget.
#[derive(Default)]
pub(crate) struct Spent {
    bytes: AtomicU64,
    entries: AtomicU64,
}

/// Unpacks one layer (tar, plain or compressed with gzip or zstd) into a directory that exists and is empty, as a pull does
/// with each. What it holds can neither leave the directory nor pass the limits. Blocking; needs root to set owners.
pub fn unpack_layer(input: impl Read, directory: &Path, limits: &Limits) -> Result<(), LayerError> {
    unpack(input, directory, &Budget::new(limits), &Spent::default()).map(drop)
}

/// Unpacks the layer that `input` streams into `directory`, which exists and is empty. The input is read to its
/// end. On failure the directory is left as it is, for the caller to remove.
pub(crate) fn unpack(
    input: impl Read,
    directory: &Path,
    budget: &Budget,
    spent: &Spent,
) -> Result<Unpacked, LayerError> {
    let mut input = BufReader::with_capacity(CHUNK, input);
    let tar = Tar { input: decompress(&mut input)?, hasher: Hasher::sha256(), bytes: 0, budget, spent };
    let mut tar = BufReader::with_capacity(CHUNK, tar);
    let mut archive = Archive::new(&mut tar);
    let mut root = Root::open(directory)?;
    let mut entries = 0;
    let mut buffer = vec![0; CHUNK];
    while let Some(entry) = archive.next()? {
        entries += 1;
        spent.entries.fetch_add(1, Ordering::Relaxed);
        budget.spend_entries(1)?;
        if entry.pieces.is_some() {
            // The holes take no room in the archive, yet whoever reads the file gets them.
            spent.bytes.fetch_add(entry.size, Ordering::Relaxed);
            budget.spend_bytes(entry.size)?;
        } else {
            budget.has_room_for(entry.size)?;
        }
        if let Some(mut file) = root.place(&entry)? {
            copy_content(&mut archive, &mut file, &entry, &mut buffer)?;
            Root::complete(&file, &entry)?;
        }
    }
    archive.finish()?;
    let implicit = root.finish()?;
    let Tar { hasher, bytes, .. } = tar.into_inner();
    // Whatever follows the compressed stream was already refused; what is left is end-of-file.
    io::copy(&mut input, &mut io::sink()).map_err(layer_error)?;
    Ok(Unpacked { diff_id: hasher.finish(), bytes, entries, implicit })
}

/// Chooses the decompressor by the first bytes, as media types are not always right.
fn decompress<'a>(input: &'a mut (impl BufRead + 'a)) -> Result<Box<dyn Read + 'a>, LayerError> {
    let start = input.fill_buf().map_err(layer_error)?;
    Ok(if start.starts_with(&[0x1f, 0x8b]) {
        Box::new(flate2::bufread::MultiGzDecoder::new(input))
    } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || is_zstd_skippable(start) {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(input).map_err(damaged)?;
        decoder.window_log_max(ZSTD_WINDOW).map_err(damaged)?;
        Box::new(decoder)
    } else {
        Box::new(input)
    })
}

/// A zstd stream may begin with a frame of notes.
fn is_zstd_skippable(start: &[u8]) -> bool {
    matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// The decompressed archive: hashed, counted and bounded as it is read.
struct Tar<'a, R> {
    input: R,
    hasher: Hasher,
    bytes: u64,
    budget: &'a Budget,
    spent: &'a Spent,
}

impl<R: Read> Read for Tar<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        self.bytes += read as u64;
        self.spent.bytes.fetch_add(read as u64, Ordering::Relaxed);
        self.budget.spend_bytes(read as u64).map_err(io::Error::other)?;
        Ok(read)
    }
}

fn copy_content(
    archive: &mut Archive<impl Read>,
    file: &mut File,
    entry: &Entry,
    buffer: &mut [u8],
) -> Result<(), LayerError> {
    let path = || Path::new(std::ffi::OsStr::new("")).join(String::from_utf8_lossy(&entry.path).as_ref());
    let whole = [(0, entry.size)];
    for (offset, mut length) in entry.pieces.as_deref().unwrap_or(&whole).iter().copied() {
        if offset > 0 {
            file.seek(SeekFrom::Start(offset)).map_err(|error| LayerError::io("write", &path(), error))?;
        }
        while length > 0 {
            let wanted = buffer.len().min(usize::try_from(length).unwrap_or(usize::MAX));
            let read = archive.read_content(&mut buffer[..wanted])?;
            file.write_all(&buffer[..read]).map_err(|error| LayerError::io("write", &path(), error))?;
            length -= read as u64;
        }
    }
    Ok(())
}

/// What a reader below reported, as the error it was.
fn layer_error(error: io::Error) -> LayerError {
    error.downcast::<LayerError>().unwrap_or_else(damaged)
}
