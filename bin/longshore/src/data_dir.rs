//! What a region keeps in its data directory beside the store: its keys, the root access key, and where it listens now.
//!
//! The last two are small TOML files; commands such as `longshore env` read them without talking to the server.

use anyhow::{Context, Result};
use encryption::KeyRing;
use environment::Environment;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// File of the keys under which the region seals values.
const KEY_RING: &str = "region.keys";

/// An access key as written to disk.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessKeyFile {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

/// The access keys that a region makes for itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KeyFile {
    /// The root of the account; for its owner.
    Root,
    /// The agent of this machine.
    Host,
}

impl KeyFile {
    fn name(self) -> &'static str {
        match self {
            Self::Root => "root-access-key.toml",
            Self::Host => "host-access-key.toml",
        }
    }
}

/// Where a region answers, rewritten at every start.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct EndpointFile {
    pub(crate) endpoint: String,
    pub(crate) region: String,
    pub(crate) account: String,
    /// Process id of the server.
    pub(crate) pid: u32,
}

/// Directories whose files may hold secrets: access keys, layers and logs, payloads of tasks.
const PRIVATE: &[&str] = &["store", "blobs", "agent"];

/// Directory of the vulnerability data, which `longshore vulnerabilities import` writes and the region reads.
pub(crate) const VULNERABILITIES: &str = "vulnerabilities";

/// Paths inside a data directory.
#[derive(Clone, Debug)]
pub(crate) struct DataDir(PathBuf);

impl DataDir {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Makes the directory, private to its owner. What holds secrets stays private in a directory that was there before
    /// and that others may read.
    pub(crate) fn create(&self) -> Result<()> {
        use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
        let folders = std::iter::once(self.0.clone()).chain(PRIVATE.iter().map(|name| self.join(name)));
        for folder in folders {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&folder)
                .with_context(|| format!("create the data directory {}", folder.display()))?;
        }
        for name in PRIVATE {
            let folder = self.join(name);
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))
                .with_context(|| format!("make the directory {} private", folder.display()))?;
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// An access key; `None` before the first start.
    pub(crate) fn key(&self, which: KeyFile) -> Result<Option<AccessKeyFile>> {
        read(&self.join(which.name()))
    }

    /// Writes an access key, readable by its owner alone.
    pub(crate) fn write_key(&self, which: KeyFile, key: &AccessKeyFile) -> Result<()> {
        write_private(&self.join(which.name()), &toml::to_string(key)?)
    }

    /// The keys under which the region seals values, made at the first start.
    pub(crate) fn key_ring(&self, environment: Environment) -> Result<KeyRing> {
        Ok(KeyRing::load(&self.join(KEY_RING), environment)?)
    }

    /// Whether there are such keys already.
    pub(crate) fn has_key_ring(&self) -> bool {
        self.join(KEY_RING).exists()
    }

    /// A small TOML file of the region's own.
    pub(crate) fn read_file<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        read(&self.join(name))
    }

    /// Writes such a file, readable by its owner alone.
    pub(crate) fn write_file<T: Serialize>(&self, name: &str, value: &T) -> Result<()> {
        write_private(&self.join(name), &toml::to_string(value)?)
    }

    /// Where the region of this directory answers, or answered last.
    pub(crate) fn endpoint(&self) -> Result<Option<EndpointFile>> {
        read(&self.join("endpoint.toml"))
    }

    /// Says where the region answers.
    pub(crate) fn write_endpoint(&self, endpoint: &EndpointFile) -> Result<()> {
        write_private(&self.join("endpoint.toml"), &toml::to_string(endpoint)?)
    }
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(toml::from_str(&text).with_context(|| format!("parse {}", path.display()))?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

/// Writes a file with mode 0600 so that it is there whole or not at all.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    let fresh = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let _ = fs::remove_file(&fresh);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    write().with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_holds_secrets_is_private_in_a_directory_that_others_may_read() {
        let temporary = tempfile::tempdir().expect("a directory");
        fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o755)).expect("opens it");
        let dir = DataDir::new(temporary.path());
        fs::create_dir(dir.join("store")).expect("is there from before");
        dir.create().expect("creates");
        for name in PRIVATE {
            let mode = fs::metadata(dir.join(name)).expect("exists").permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{name}");
        }
    }

    #[test]
    fn the_root_key_is_private() {
        let temporary = tempfile::tempdir().expect("a directory");
        let dir = DataDir::new(temporary.path().join("data"));
        dir.create().expect("creates");
        assert!(dir.key(KeyFile::Root).expect("reads").is_none());
        let key = AccessKeyFile { access_key_id: "AKIA".into(), secret_access_key: "s".into() };
        dir.write_key(KeyFile::Root, &key).expect("writes");
        let mode = fs::metadata(dir.join("root-access-key.toml")).expect("exists").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(dir.key(KeyFile::Root).expect("reads").expect("exists").access_key_id, "AKIA");
    }
}
