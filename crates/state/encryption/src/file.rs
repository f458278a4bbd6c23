//! The file of a ring: read under a lock, replaced as a whole, never readable by others.

use crate::keys::{Keys, MOST_KEYS};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Most bytes of a file that are read.
const MOST_BYTES: u64 = 64 * 1024;

/// What is wrong with the file of keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("read the region's keys in {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be written; the one before is untouched.
    #[error("write the region's keys to {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not a file of keys.
    #[error("{path} does not hold the region's keys (line {line})")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The first line that is wrong, from 1; 0 when there is no key.
        line: usize,
    },
    /// Others than its owner may read it.
    #[error("{path} has mode {mode:o}: others can read the region's keys; set it to 600")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It was there, and is gone.
    #[error("{0} is gone: put the region's keys back from a copy")]
    Lost(PathBuf),
    /// Old keys must be retired first.
    #[error("{path} has {MOST_KEYS} keys already; old ones go once nothing is sealed under them")]
    Full {
        /// The file.
        path: PathBuf,
    },
}

/// Where a ring is kept.
pub(crate) struct KeyFile(PathBuf);

impl KeyFile {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Reads the keys, `None` when there is no file, and writes what `change` makes of them, if anything. Returns the
    /// keys as they are in the file afterwards.
    pub(crate) fn change(
        &self,
        change: impl FnOnce(Option<&Keys>) -> Result<Option<Keys>, KeyFileError>,
    ) -> Result<Keys, KeyFileError> {
        let _locked = self.lock().map_err(|source| self.unwritable(source))?;
        let old = self.read()?;
        match (change(old.as_ref())?, old) {
            (Some(new), _) if new.len() > MOST_KEYS => Err(KeyFileError::Full { path: self.0.clone() }),
            (Some(new), _) => {
                self.write(&new).map_err(|source| self.unwritable(source))?;
                Ok(new)
            }
            (None, Some(old)) => Ok(old),
            (None, None) => Err(KeyFileError::Lost(self.0.clone())),
        }
    }

    fn lock(&self) -> io::Result<File> {
        // A file of its own, for the keys' file is another after every change.
        let path = self.0.with_extension("lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        file.lock()?;
        Ok(file)
    }

    fn read(&self) -> Result<Option<Keys>, KeyFileError> {
        let file = match File::open(&self.0) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.unreadable(source)),
        };
        let mode = file.metadata().map_err(|source| self.unreadable(source))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Exposed { path: self.0.clone(), mode });
        }
        let mut text = Zeroizing::new(String::with_capacity(MOST_BYTES as usize));
        file.take(MOST_BYTES).read_to_string(&mut text).map_err(|source| self.unreadable(source))?;
        let keys = Keys::parse(&text);
        keys.map(Some).map_err(|line| KeyFileError::Malformed { path: self.0.clone(), line })
    }

    fn write(&self, keys: &Keys) -> io::Result<()> {
        let fresh = self.0.with_extension("new");
        match std::fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(keys.print().as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, &self.0)?;
        // The new name must survive a crash before anything is sealed under the new key.
        let parent = self.0.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
    }

    fn unreadable(&self, source: io::Error) -> KeyFileError {
        KeyFileError::Read { path: self.0.clone(), source }
    }

    fn unwritable(&self, source: io::Error) -> KeyFileError {
        KeyFileError::Write { path: self.0.clone(), source }
    }
}
