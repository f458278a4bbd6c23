//! What the proxy of a task tells, as output: lines of a file that grows.
//!
//! Its proxy appends to the file, and what was sent is given back: the file becomes longer, but takes no more room. A line
//! tells itself when it was written, so that it looks the same whenever it is read.

use super::{ContainerEngine, failed};
use crate::engine::{EngineError, LogPosition, LogRead, LogRecord, LogSource};
use environment::{Environment, Timestamp};
use load_balancer::Proxies;
use rustix::fs::{FallocateFlags, fallocate};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Pause between looks at whether there is more.
const LOOK: Duration = Duration::from_millis(250);
/// Most bytes that are read at once; a longer line is told in pieces.
const MOST_BYTES: usize = 256 * 1024;
/// Bytes that are given back together.
const GIVE_BACK: u64 = 64 * 1024;

/// The output of a proxy from a position on.
pub(super) struct ProxyOutput {
    proxies: Proxies,
    environment: Environment,
    sandbox: String,
    path: PathBuf,
    at: u64,
    given_back: u64,
}

/// Whole lines, and where the next one begins.
struct Lines {
    lines: Vec<(Vec<u8>, u64)>,
}

impl ProxyOutput {
    pub(super) fn new(engine: &ContainerEngine, sandbox: &str, at: u64) -> Self {
        Self {
            proxies: engine.proxies.clone(),
            environment: engine.environment.clone(),
            sandbox: sandbox.to_owned(),
            path: engine.proxies.log(sandbox),
            at,
            given_back: at,
        }
    }

    fn record(&self, line: Vec<u8>, next: u64) -> LogRecord {
        LogRecord {
            at: time_of(&line).unwrap_or_else(|| self.environment.now()),
            bytes: line,
            partial: false,
            stderr: false,
            next: LogPosition(next.into()),
        }
    }
}

#[async_trait::async_trait]
impl LogSource for ProxyOutput {
    async fn read(&mut self, most: usize) -> Result<LogRead, EngineError> {
        loop {
            // Looked at before the file: what it told last is in there when it has ended.
            let has_ended = !self.proxies.is_there(&self.sandbox).await;
            let (path, at) = (self.path.clone(), self.at);
            let read = tokio::task::spawn_blocking(move || read(&path, at, most, has_ended));
            let Lines { lines } = read.await.map_err(failed)?.map_err(failed)?;
            if let Some((_, next)) = lines.last() {
                self.at = *next;
                let records = lines.into_iter().map(|(line, next)| self.record(line, next));
                return Ok(LogRead::Records(records.collect()));
            }
            if has_ended {
                return Ok(LogRead::End);
            }
            self.environment.sleep(LOOK).await;
        }
    }

    fn release(&mut self, before: &LogPosition) {
        let Some(before) = before.0.as_u64().filter(|before| *before >= self.given_back + GIVE_BACK) else {
            return;
        };
        self.given_back = before;
        let given = OpenOptions::new().write(true).open(&self.path).and_then(|file| {
            let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            fallocate(&file, how, 0, before).map_err(io::Error::from)
        });
        if let Err(error) = given {
            tracing::debug!(sandbox = self.sandbox, %error, "what a proxy has told cannot be given back");
        }
    }
}

/// Lines from a position on, at most so many; with `all`, what has no end, too.
fn read(path: &Path, at: u64, most: usize, all: bool) -> io::Result<Lines> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Lines { lines: Vec::new() }),
        Err(error) => return Err(error),
    };
    // It was begun anew when it was too large.
    let at = if file.metadata()?.len() < at { 0 } else { at };
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES as u64).read_to_end(&mut bytes)?;
    let (mut lines, mut rest, mut next) = (Vec::new(), bytes.as_slice(), at);
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n').filter(|_| lines.len() < most) {
        next += end as u64 + 1;
        lines.push((plain(&rest[..end]), next));
        rest = &rest[end + 1..];
    }
    let is_long = bytes.len() == MOST_BYTES;
    if lines.is_empty() && !rest.is_empty() && (all || is_long) {
        lines.push((plain(rest), at + rest.len() as u64));
    }
    Ok(Lines { lines })
}

/// When a line was begun: an object says so, a text begins with it.
fn time_of(line: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(line).ok()?;
    if text.starts_with('{') {
        let object: serde_json::Value = serde_json::from_str(text).ok()?;
        return Timestamp::parse_rfc3339(object.get("start_time")?.as_str()?);
    }
    let first = text.split_whitespace().next()?;
    Timestamp::parse_rfc3339(first.trim_start_matches('[').trim_end_matches(']'))
}

/// A line without what was given back before it.
fn plain(line: &[u8]) -> Vec<u8> {
    let begin = line.iter().position(|byte| *byte != 0).unwrap_or(line.len());
    line[begin..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    fn texts(lines: &Lines) -> Vec<(&str, u64)> {
        lines.lines.iter().map(|(line, next)| (std::str::from_utf8(line).expect("is text"), *next)).collect()
    }

    #[test]
    fn whole_lines_are_read_on_and_on() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("log");
        let lines = |at, all| read(&path, at, 2, all).expect("reads");
        assert!(lines(0, true).lines.is_empty(), "there is none yet");
        fs::write(&path, "one\ntwo\nthree\nfo").expect("writes");
        assert_eq!(texts(&lines(0, false)), [("one", 4), ("two", 8)]);
        assert_eq!(texts(&lines(8, false)), [("three", 14)]);
        assert!(lines(14, false).lines.is_empty(), "it goes on");
        assert_eq!(texts(&lines(14, true)), [("fo", 16)]);
        fs::write(&path, "\0\0anew\n").expect("writes");
        assert_eq!(texts(&lines(16, false)), [("anew", 7)]);
        fs::write(&path, "x".repeat(MOST_BYTES + 1)).expect("writes");
        assert_eq!(lines(0, false).lines[0].1, MOST_BYTES as u64, "a piece of it");
    }

    #[test]
    fn what_was_sent_takes_no_room_any_more() {
        let directory = tempfile::tempdir().expect("a directory");
        let environment = Environment::real();
        let program = PathBuf::from("/none");
        let proxies = Proxies::new(directory.path().to_owned(), program, environment.clone());
        let (sandbox, path) = ("t".to_owned(), directory.path().join("log"));
        fs::write(&path, "x\n".repeat(512 * 1024)).expect("writes");
        let taken = || fs::metadata(&path).expect("is there").blocks();
        let (before, length) = (taken(), fs::metadata(&path).expect("is there").len());
        let mut output =
            ProxyOutput { proxies, environment, sandbox, path: path.clone(), at: 0, given_back: 0 };
        output.release(&LogPosition(1_000.into()));
        assert_eq!(taken(), before, "it is not worth it");
        output.release(&LogPosition((length - 2).into()));
        assert!(taken() < before / 4, "{before} {}", taken());
        assert_eq!(texts(&read(&path, length - 2, 9, false).expect("reads")), [("x", length)]);
    }

    #[test]
    fn lines_say_when_they_were_written() {
        let time = Timestamp::parse_rfc3339("2026-01-02T03:04:05.678Z");
        assert!(time.is_some());
        for line in [
            r#"{"bytes_sent":1,"start_time":"2026-01-02T03:04:05.678Z"}"#,
            r#"[2026-01-02T03:04:05.678Z] "GET / HTTP/1.1" 200"#,
            "2026-01-02T03:04:05.678Z  WARN something",
        ] {
            assert_eq!(time_of(line.as_bytes()), time, "{line}");
        }
        assert_eq!(time_of(b"something"), None);
    }
}
