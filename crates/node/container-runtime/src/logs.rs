//! A container's output on disk: written by the shim, read by the agent, each at its own pace.
//!
//! Records are appended to numbered segment files. A reader that has read a segment to its end and gone on to the
//! next removes it, so a log that is shipped takes little room; a log that nobody reads stops its container's writes
//! (they wait, as with a blocking log driver) when it reaches its bound. A record's form is: 8 bytes of milliseconds,
//! one of flags, 4 of length, all little endian, and the bytes.

use crate::error::RuntimeError;
use crate::liveness::shim_lives;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Bytes of a segment after which the next begins.
const SEGMENT_BYTES: u64 = 4 * 1024 * 1024;
/// Segments of a log that nobody reads.
const MOST_SEGMENTS: u64 = 16;
/// Longest record; longer lines are split.
pub(crate) const MOST_RECORD_BYTES: usize = 16 * 1024;
const HEADER: usize = 13;
/// The line goes on in the next record.
const PARTIAL: u8 = 1;
/// Nothing comes after this record.
const END: u8 = 2;
/// The bytes came from standard error.
const STDERR: u8 = 4;
/// How long a reader waits between looks at a log that does not grow: from the first to the last.
const LOOK: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(200));

/// Where a log was read to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPosition {
    segment: u64,
    offset: u64,
}

/// A piece of a container's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Milliseconds since the epoch when it was written.
    pub at_ms: i64,
    /// The bytes, without the line's end.
    pub bytes: Vec<u8>,
    /// The line goes on in the next record of the same stream.
    pub partial: bool,
    /// It came from standard error.
    pub stderr: bool,
    /// Where to read on after it.
    pub next: LogPosition,
}

/// What reading a log gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogChunk {
    /// Records in order, at least one.
    Records(Vec<LogRecord>),
    /// The container has ended and everything was read.
    End,
}

/// The shim's end of a log.
pub(crate) struct LogWriter {
    folder: PathBuf,
    segment: u64,
    file: File,
    size: u64,
    /// Records that the disk had no room for yet. While there are some, nothing more is taken from the container.
    pending: Vec<u8>,
    /// An unfinished line of standard output and of standard error.
    lines: [Vec<u8>; 2],
}

/// Name of the folder with the output of one run of a container. Names of containers have no such sign.
pub(crate) fn folder_of(container: &str, run: u32) -> String {
    if run == 0 { container.to_owned() } else { format!("{container}~{run}") }
}

fn segment_path(folder: &Path, segment: u64) -> PathBuf {
    folder.join(segment.to_string())
}

impl LogWriter {
    pub(crate) fn create(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let file = OpenOptions::new().create(true).append(true).open(segment_path(folder, 0))?;
        Ok(Self {
            folder: folder.to_owned(),
            segment: 0,
            file,
            size: 0,
            pending: Vec::new(),
            lines: [Vec::new(), Vec::new()],
        })
    }

    /// Takes what a container wrote to one of its streams.
    pub(crate) fn take(&mut self, stream: usize, mut bytes: &[u8]) -> io::Result<()> {
        let now = now_ms();
        let mut line = std::mem::take(&mut self.lines[stream]);
        let mut out = Vec::with_capacity(bytes.len() + HEADER);
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            line.extend_from_slice(&bytes[..end]);
            split(&mut out, now, of(stream), &mut line);
            record(&mut out, now, of(stream), &line);
            line.clear();
            bytes = &bytes[end + 1..];
        }
        line.extend_from_slice(bytes);
        split(&mut out, now, of(stream), &mut line);
        self.lines[stream] = line;
        self.append(&out)
    }

    /// Writes lines that were never ended, and says that nothing follows.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        let now = now_ms();
        let mut out = Vec::new();
        for (stream, line) in self.lines.iter_mut().enumerate() {
            if !line.is_empty() {
                record(&mut out, now, of(stream), line);
                line.clear();
            }
        }
        record(&mut out, now, END, b"");
        self.append(&out)
    }

    /// Whether the log has no room until a reader catches up.
    pub(crate) fn is_full(&self) -> bool {
        !self.pending.is_empty() || self.is_unread()
    }

    /// Writes what the disk had no room for before.
    pub(crate) fn retry(&mut self) -> io::Result<()> {
        self.append(&[])
    }

    fn is_unread(&self) -> bool {
        self.segment >= MOST_SEGMENTS
            && self.size >= SEGMENT_BYTES
            && segment_path(&self.folder, self.segment - MOST_SEGMENTS + 1).exists()
    }

    /// Appends whole records, or keeps them for later when that fails: a torn record would hide all that follow.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pending.extend_from_slice(bytes);
        if self.pending.is_empty() {
            return Ok(());
        }
        if self.size >= SEGMENT_BYTES {
            let path = segment_path(&self.folder, self.segment + 1);
            self.file = OpenOptions::new().create(true).append(true).open(path)?;
            self.segment += 1;
            self.size = 0;
        }
        if let Err(error) = self.file.write_all(&self.pending) {
            self.file.set_len(self.size)?;
            return Err(error);
        }
        self.size += self.pending.len() as u64;
        self.pending = Vec::new();
        Ok(())
    }
}

/// The flag of a stream: 0 is standard output, 1 standard error.
const fn of(stream: usize) -> u8 {
    if stream == 1 { STDERR } else { 0 }
}

/// Writes the front of a line that is too long for one record.
fn split(out: &mut Vec<u8>, now: i64, stream: u8, line: &mut Vec<u8>) {
    while line.len() > MOST_RECORD_BYTES {
        record(out, now, PARTIAL | stream, &line[..MOST_RECORD_BYTES]);
        line.drain(..MOST_RECORD_BYTES);
    }
}

fn record(out: &mut Vec<u8>, now: i64, flags: u8, bytes: &[u8]) {
    out.extend_from_slice(&now.to_le_bytes());
    out.push(flags);
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// The shim has no `environment`: it stamps what the kernel hands it with the machine's clock.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// The agent's end of a log.
pub struct LogReader {
    folder: PathBuf,
    /// Locked for as long as the shim lives.
    lock: PathBuf,
    position: LogPosition,
    ended: bool,
}

impl LogReader {
    pub(crate) fn open(folder: PathBuf, lock: PathBuf, from: Option<LogPosition>) -> Self {
        let position = from.unwrap_or_else(|| LogPosition { segment: first_segment(&folder), offset: 0 });
        Self { folder, lock, position, ended: false }
    }

    /// Waits for output; at most `most` records. What was not returned comes again if the wait is given up.
    pub async fn read(&mut self, most: usize) -> Result<LogChunk, RuntimeError> {
        let mut wait = LOOK.0;
        let mut shim_gone = false;
        loop {
            if self.ended {
                return Ok(LogChunk::End);
            }
            let records = self.look(most)?;
            if !records.is_empty() {
                return Ok(LogChunk::Records(records));
            }
            if shim_gone {
                self.ended = true;
            } else if !self.ended {
                // The log may not be there yet, when it is opened before its container starts. After the shim's end
                // is seen, the log is looked at once more, for what was written just before.
                shim_gone = !shim_lives(&self.lock);
                if !shim_gone {
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(LOOK.1);
                }
            }
        }
    }

    /// Whole records from the position on. Removes segments that are left behind.
    fn look(&mut self, most: usize) -> Result<Vec<LogRecord>, RuntimeError> {
        let mut records = Vec::new();
        loop {
            let path = segment_path(&self.folder, self.position.segment);
            let content = read_from(&path, self.position.offset)
                .map_err(|error| RuntimeError::io("reading", &path, error))?;
            let mut rest = content.as_slice();
            while let Some((at_ms, flags, bytes)) = parse(&mut rest) {
                self.position.offset += (HEADER + bytes.len()) as u64;
                if flags & END != 0 {
                    self.ended = true;
                    return Ok(records);
                }
                records.push(LogRecord {
                    at_ms,
                    bytes: bytes.to_vec(),
                    partial: flags & PARTIAL != 0,
                    stderr: flags & STDERR != 0,
                    next: self.position,
                });
                if records.len() >= most {
                    return Ok(records);
                }
            }
            let next = segment_path(&self.folder, self.position.segment + 1);
            if !next.exists() || !rest.is_empty() {
                return Ok(records);
            }
            self.position = LogPosition { segment: self.position.segment + 1, offset: 0 };
        }
    }

    /// Lets go of what lies before a position that was shipped for good.
    pub fn release(&self, before: LogPosition) {
        for segment in first_segment(&self.folder)..before.segment {
            // A segment that stays is only room that stays taken.
            let _ = fs::remove_file(segment_path(&self.folder, segment));
        }
    }
}

fn first_segment(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).min().unwrap_or(0)
}

/// At most a few MiB from an offset; nothing when there is no such file.
fn read_from(path: &Path, offset: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    match File::open(path) {
        Ok(mut file) => {
            file.seek(SeekFrom::Start(offset))?;
            file.take(SEGMENT_BYTES / 4).read_to_end(&mut content)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(content)
}

fn parse<'a>(rest: &mut &'a [u8]) -> Option<(i64, u8, &'a [u8])> {
    let (header, body) = rest.split_at_checked(HEADER)?;
    let at_ms = i64::from_le_bytes(header[..8].try_into().ok()?);
    let length = u32::from_le_bytes(header[9..].try_into().ok()?) as usize;
    let (bytes, after) = body.split_at_checked(length)?;
    *rest = after;
    Some((at_ms, header[8], bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("longshore-log-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[tokio::test]
    async fn lines_are_read_from_any_position() {
        let folder = folder("lines");
        let mut writer = LogWriter::create(&folder).expect("creates");
        writer.take(0, b"one\ntw").expect("writes");
        writer.take(1, b"err\n").expect("writes");
        writer.take(0, b"o\n").expect("writes");
        writer.take(0, &vec![b'x'; MOST_RECORD_BYTES + 5]).expect("writes");
        writer.end().expect("ends");
        let mut reader = LogReader::open(folder.clone(), folder.join("no-lock"), None);
        let LogChunk::Records(records) = reader.read(100).await.expect("reads") else { panic!("no records") };
        let texts: Vec<(usize, bool)> = records.iter().map(|r| (r.bytes.len(), r.partial)).collect();
        assert_eq!(texts, [(3, false), (3, false), (3, false), (MOST_RECORD_BYTES, true), (5, false)]);
        assert_eq!(records[1].bytes, b"err");
        assert_eq!(records.iter().map(|r| r.stderr).collect::<Vec<_>>(), [false, true, false, false, false]);
        assert_eq!(reader.read(100).await.expect("reads"), LogChunk::End);
        let mut again = LogReader::open(folder.clone(), folder.join("no-lock"), Some(records[1].next));
        let LogChunk::Records(rest) = again.read(1).await.expect("reads") else { panic!("no records") };
        assert_eq!(rest[0].bytes, b"two");
        fs::remove_dir_all(folder).expect("removes");
    }

    #[tokio::test]
    async fn a_log_that_nobody_reads_is_bounded_and_one_that_is_read_goes_on() {
        let folder = folder("bound");
        let mut writer = LogWriter::create(&folder).expect("creates");
        let line = [vec![b'x'; 1023], vec![b'\n']].concat();
        let mut written = 0u64;
        while !writer.is_full() {
            writer.take(0, &line).expect("writes");
            written += 1;
        }
        assert!(written * 1024 <= (MOST_SEGMENTS + 2) * SEGMENT_BYTES);
        let mut reader = LogReader::open(folder.clone(), folder.join("no-lock"), None);
        let mut seen = 0u64;
        writer.end().expect("ends");
        while let LogChunk::Records(records) = reader.read(10_000).await.expect("reads") {
            seen += records.len() as u64;
            reader.release(records[records.len() - 1].next);
        }
        assert_eq!(seen, written);
        assert!(!writer.is_full());
        fs::remove_dir_all(folder).expect("removes");
    }

    #[tokio::test]
    async fn a_disk_that_is_full_for_a_while_loses_and_tears_nothing() {
        let folder = folder("full");
        let mut writer = LogWriter::create(&folder).expect("creates");
        writer.take(0, b"before\n").expect("writes");
        let good = std::mem::replace(&mut writer.file, File::create("/dev/full").expect("opens"));
        writer.take(0, b"during\n").expect_err("no room");
        assert!(writer.is_full(), "nothing more is taken");
        writer.retry().expect_err("still no room");
        writer.file = good;
        writer.retry().expect("writes");
        assert!(!writer.is_full());
        writer.take(0, b"after").expect("writes");
        writer.end().expect("ends");
        let mut reader = LogReader::open(folder.clone(), folder.join("no-lock"), None);
        let LogChunk::Records(records) = reader.read(100).await.expect("reads") else { panic!("no records") };
        let texts: Vec<&[u8]> = records.iter().map(|record| record.bytes.as_slice()).collect();
        assert_eq!(texts, [&b"before"[..], b"during", b"after"]);
        fs::remove_dir_all(folder).expect("removes");
    }
}
