//! The files of a process's directory.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The last configuration; it may hold secrets.
pub(crate) const CONFIGURATION: &str = "configuration.json";

/// What a file is to survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// A loss of power, at the price of a write to the disk.
    OverPowerLoss,
    /// The end of the process; after a loss of power it may be there, or not, or be none. Where it cannot be kept, the process
    /// works without.
    OverProcessEnd,
}

/// The files of a process's directory; only their owner may read them.
#[derive(Clone, Debug)]
pub struct Files {
    directory: PathBuf,
}

impl Files {
    pub(crate) fn of(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// What a file holds; nothing when it is not there.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        match fs::read(self.path(name)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces a file as a whole.
    pub fn keep(&self, name: &str, value: &impl Serialize, kept: Kept) -> io::Result<()> {
        let new = self.path(&format!("{name}.new"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(value)?)?;
        if kept == Kept::OverPowerLoss {
            file.sync_data()?;
        }
        fs::rename(new, self.path(name))
    }
}
