//! Compressed layers, told apart by their first bytes, since media types are often wrong.

use std::io::{self, BufRead, Read};

/// Most memory that a zstd frame may ask for, as a power of two: 128 MiB, which is also the command line tool's limit.
const ZSTD_WINDOW_LOG: u32 = 27;

/// The decompressed bytes of a layer.
pub(crate) fn decompressed<'r>(mut reader: impl BufRead + 'r) -> io::Result<Box<dyn Read + 'r>> {
    let start = reader.fill_buf()?;
    if start.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(reader)));
    }
    // Frames that may be skipped can come first.
    let skippable = start.len() >= 4 && start[1..4] == [0x2a, 0x4d, 0x18] && start[0] & 0xf0 == 0x50;
    if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || skippable {
        let mut decoder = zstd::Decoder::with_buffer(reader)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG)?;
        return Ok(Box::new(decoder));
    }
    Ok(Box::new(reader))
}
