//! Owner, mode, times and extended attributes of what is unpacked.

use super::LayerError;
use super::archive::Entry;
use super::root::{failed, refused};
use rustix::fs::{Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// overlayfs reads this on a directory as "what lies below is hidden".
const OPAQUE: &str = "trusted.overlay.opaque";

/// Owner, attributes and mode, in this order: a change of owner clears both of the others.
pub(super) fn describe(file: impl AsFd, path: &Path, entry: &Entry) -> Result<(), LayerError> {
    let (uid, gid) = owner(entry, path)?;
    rustix::fs::fchown(&file, uid, gid).map_err(|error| failed("set owner of", path, error))?;
    for (name, value) in allowed_xattrs(entry) {
        match rustix::fs::fsetxattr(&file, name, value, XattrFlags::empty()) {
            Ok(()) => {}
            Err(Errno::OPNOTSUPP) => tracing::warn!(?path, ?name, "the file system keeps no such attribute"),
            Err(error) => return Err(failed("set attribute of", path, error)),
        }
    }
    rustix::fs::fchmod(&file, Mode::from_raw_mode(entry.mode))
        .map_err(|error| failed("set mode of", path, error))
}

pub(super) fn owner(entry: &Entry, path: &Path) -> Result<(Option<Uid>, Option<Gid>), LayerError> {
    if entry.uid == u32::MAX || entry.gid == u32::MAX {
        return Err(refused(path, "an owner that cannot exist"));
    }
    Ok((Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid))))
}

/// Attributes an image may set. Those of overlayfs would let an image redirect directories of other layers, and
/// labels of security modules belong to the host.
pub(super) fn allowed_xattrs(entry: &Entry) -> impl Iterator<Item = (&OsStr, &[u8])> {
    entry.xattrs.iter().filter_map(|(name, value)| {
        let allowed = name == b"security.capability"
            || (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."))
            || name.starts_with(b"system.posix_acl_");
        (allowed && !name.contains(&0)).then_some((OsStr::from_bytes(name), value.as_slice()))
    })
}

pub(super) fn set_opaque(directory: &OwnedFd, path: &Path) -> Result<(), LayerError> {
    rustix::fs::fsetxattr(directory, OPAQUE, b"y", XattrFlags::empty())
        .map_err(|error| failed("mark opaque", path, error))
}

pub(super) fn times((seconds, nanoseconds): (i64, i64)) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    Timestamps { last_access: time, last_modification: time }
}

/// Gives directories that no entry of the layer described what the layers below say about them: owner, mode and
/// time. Without that, a file put into `/tmp` would make `/tmp` an ordinary directory. `lower` is topmost last.
pub(crate) fn adopt(layer: &Path, implicit: &[PathBuf], lower: &[PathBuf]) -> Result<(), LayerError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = |root: &Path, path: &Path| -> Result<OwnedFd, Errno> {
        let root = rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        rustix::fs::openat2(
            &root,
            path,
            flags,
            Mode::empty(),
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
        )
    };
    for path in implicit {
        // A directory below it in the stack; anything else there ends the search, for it hides the rest.
        let found = lower
            .iter()
            .rev()
            .map(|root| open(root, path))
            .find(|opened| !matches!(opened, Err(Errno::NOENT)));
        let Some(Ok(model)) = found else { continue };
        let step = |error| failed("describe", path, error);
        let stat = rustix::fs::fstat(&model).map_err(step)?;
        let directory = open(layer, path).map_err(step)?;
        rustix::fs::fchown(&directory, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))
            .map_err(step)?;
        rustix::fs::fchmod(&directory, Mode::from_raw_mode(stat.st_mode & 0o7777)).map_err(step)?;
        rustix::fs::futimens(&directory, &times((stat.st_mtime as i64, stat.st_mtime_nsec as i64)))
            .map_err(step)?;
    }
    Ok(())
}
