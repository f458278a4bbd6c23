//! Small JSON files that are replaced as a whole.
//!
//! A file is written beside its name and renamed, so a reader sees the old or the new one whenever the agent dies. It
//! is not flushed: what a power cut takes from these files, it takes from the sandboxes too.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{step} {}", path.display())]
pub(crate) struct DiskError {
    step: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Replaces a file; only its owner can read it, for payloads hold secrets.
pub(crate) async fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), DiskError> {
    let failed = |source| DiskError { step: "write", path: path.to_owned(), source };
    let bytes = serde_json::to_vec(value).map_err(|error| failed(error.into()))?;
    let target = path.to_owned();
    blocking(move || {
        let beside = target.with_extension("new");
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        io::Write::write_all(&mut file, &bytes)?;
        std::fs::rename(&beside, &target)
    })
    .await
    .map_err(failed)
}

/// Replaces a text that containers may read.
pub(crate) async fn write_text(path: &Path, text: &str) -> Result<(), DiskError> {
    let (target, text) = (path.to_owned(), text.to_owned());
    let written = blocking(move || {
        std::fs::write(&target, text)?;
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o644))
    });
    written.await.map_err(|source| DiskError { step: "write", path: path.to_owned(), source })
}

/// Reads a file; `None` when there is none, or when a power cut has left it unreadable.
pub(crate) async fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, DiskError> {
    let failed = |source| DiskError { step: "read", path: path.to_owned(), source };
    let source = path.to_owned();
    match blocking(move || std::fs::read(source)).await {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a file is unreadable and taken as missing");
                Ok(None)
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Makes a directory and its parents.
pub(crate) async fn make_dir(path: &Path) -> Result<(), DiskError> {
    let target = path.to_owned();
    blocking(move || std::fs::create_dir_all(target)).await.map_err(|source| DiskError {
        step: "make",
        path: path.to_owned(),
        source,
    })
}

/// Removes a directory and all in it, if it is there.
pub(crate) async fn remove_dir(path: &Path) -> Result<(), DiskError> {
    let target = path.to_owned();
    match blocking(move || std::fs::remove_dir_all(target)).await {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(DiskError { step: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Names of the directories in a directory; none when it is missing.
pub(crate) async fn dirs(path: &Path) -> Result<Vec<String>, DiskError> {
    let source = path.to_owned();
    let listed = blocking(move || {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(source)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        Ok(names)
    });
    match listed.await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(|source| DiskError { step: "list", path: path.to_owned(), source }),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}
