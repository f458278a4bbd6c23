//! Access logs: lines are gathered in memory and written by a thread of their own.

use environment::{Environment, Timestamp};
use load_balancing::AccessLog;
use parking_lot::Mutex;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Most bytes that wait to be written; lines beyond are lost, and that is said in the process's own log.
const MOST_WAITING: usize = 16 << 20;
/// The file in progress.
const CURRENT: &str = "access.log";

/// The log of one load balancer.
#[derive(Debug)]
pub(crate) struct AccessLogFile {
    settings: AccessLog,
    /// ACCOUNT_elasticloadbalancing_REGION_NAME, of whole files.
    prefix: String,
    address: String,
    waiting: Mutex<String>,
    lost: AtomicU64,
    file: Mutex<Option<Current>>,
    environment: Environment,
}

#[derive(Debug)]
struct Current {
    file: File,
    bytes: u64,
    since: Timestamp,
}

impl Current {
    fn is(&self, path: &Path) -> bool {
        match (self.file.metadata(), fs::metadata(path)) {
            (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
            _ => false,
        }
    }
}

impl AccessLogFile {
    /// The log of the load balancer `arn` with the address `address`. Files are made when there is something to write.
    pub(crate) fn new(settings: &AccessLog, arn: &str, address: &str, environment: &Environment) -> Self {
        let mut parts = arn.splitn(6, ':').skip(3);
        let (region, account) = (parts.next().unwrap_or("-"), parts.next().unwrap_or("-"));
        let name = arn.split_once("loadbalancer/").map_or("-", |(_, name)| name).replace('/', ".");
        Self {
            settings: settings.clone(),
            prefix: format!("{account}_elasticloadbalancing_{region}_{name}"),
            address: address.replace(':', "-"),
            waiting: Mutex::default(),
            lost: AtomicU64::new(0),
            file: Mutex::default(),
            environment: environment.clone(),
        }
    }

    pub(crate) fn has(&self, settings: &AccessLog) -> bool {
        self.settings == *settings
    }

    /// Adds a line, which `line` writes with its end.
    pub(crate) fn write(&self, line: impl FnOnce(&mut String)) {
        let mut waiting = self.waiting.lock();
        if waiting.len() < MOST_WAITING {
            line(&mut waiting);
        } else {
            self.lost.fetch_add(1, Relaxed);
        }
    }

    /// Writes what waits; makes a file whole when it is large or old.
    pub(crate) fn flush(&self) {
        // Held from here on, so that lines stay in their order.
        let mut file = self.file.lock();
        let lines = std::mem::take(&mut *self.waiting.lock());
        let lost = self.lost.swap(0, Relaxed);
        if lost > 0 {
            tracing::warn!(lost, directory = %self.settings.directory.display(), "lines of an access log were lost");
        }
        if let Err(error) = self.write_out(&mut file, &lines) {
            tracing::warn!(%error, directory = %self.settings.directory.display(), "cannot write an access log");
        }
    }

    fn write_out(&self, file: &mut Option<Current>, lines: &str) -> io::Result<()> {
        let now = self.environment.now();
        if !lines.is_empty() {
            if file.is_none() {
                *file = Some(self.open(now)?);
            }
            if let Some(current) = file.as_mut() {
                current.file.write_all(lines.as_bytes())?;
                current.bytes += lines.len() as u64;
            }
        }
        let age = Duration::from_secs(u64::from(self.settings.rotate_seconds));
        let whole = file.as_ref().is_some_and(|current| {
            current.bytes >= self.settings.rotate_bytes || now.since(current.since) >= age
        });
        if whole {
            // Another process may have taken over the log meanwhile, and made this file whole already.
            let ours = file.take().is_some_and(|current| current.is(&self.settings.directory.join(CURRENT)));
            if ours {
                self.rotate(now)?;
            }
        }
        Ok(())
    }

    fn open(&self, now: Timestamp) -> io::Result<Current> {
        fs::create_dir_all(&self.settings.directory)?;
        let path = self.settings.directory.join(CURRENT);
        // What another process left is whole now.
        if path.exists() {
            self.rotate(now)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Current { file, bytes: 0, since: now })
    }

    fn rotate(&self, now: Timestamp) -> io::Result<()> {
        let end = now.to_basic();
        let random = self.environment.random_hex(8);
        let name = format!("{}_{end}_{}_{random}.log", self.prefix, self.address);
        fs::rename(self.settings.directory.join(CURRENT), self.settings.directory.join(name))?;
        let mut whole = whole_files(&self.settings.directory)?;
        let too_many = whole.len().saturating_sub(self.settings.keep_files as usize);
        for (_, path) in whole.drain(..too_many) {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

/// Whole files of a directory, oldest first.
fn whole_files(directory: &Path) -> io::Result<Vec<(std::time::SystemTime, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != CURRENT && name.to_string_lossy().ends_with(".log") {
            files.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_become_whole_by_size_and_age_and_the_oldest_go() {
        let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(1_700_000_000), 1);
        let directory = tempfile::tempdir().expect("a directory");
        let settings = AccessLog {
            directory: directory.path().join("logs"),
            rotate_bytes: 10,
            rotate_seconds: 60,
            keep_files: 2,
        };
        let arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/0123456789abcdef";
        let log = AccessLogFile::new(&settings, arn, "10.0.0.1", &environment);
        log.flush();
        assert!(!settings.directory.exists(), "nothing to write, nothing made");
        log.write(|line| line.push_str("one\n"));
        log.flush();
        assert_eq!(fs::read_to_string(settings.directory.join(CURRENT)).expect("is there"), "one\n");
        log.write(|line| line.push_str("two two two\n"));
        log.flush();
        let whole = whole_files(&settings.directory).expect("lists");
        assert_eq!(whole.len(), 1);
        let name = whole[0].1.file_name().expect("has one").to_string_lossy().into_owned();
        assert!(
            name.starts_with("123456789012_elasticloadbalancing_us-east-1_app.web.0123456789abcdef_20231114T221320Z_10.0.0.1_"),
            "{name}"
        );
        for _ in 0..3 {
            log.write(|line| line.push_str("x\n"));
            log.flush();
            simulation.advance(Duration::from_secs(60));
            log.flush();
        }
        assert_eq!(whole_files(&settings.directory).expect("lists").len(), 2);
        assert!(!settings.directory.join(CURRENT).exists());
    }
}
