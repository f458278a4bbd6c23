//! A layer's directory while it is being filled: every change goes through a descriptor of the parent directory
//! that the kernel resolved inside the root, so that no link in the archive leads outside.

use super::LayerError;
use super::archive::{Entry, Kind, damaged};
use super::attributes::{allowed_xattrs, describe, owner, set_opaque, times};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, XattrFlags};
use rustix::io::Errno;
use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The longest path in an archive.
const MAX_PATH: usize = 4096;
/// Directories that a path may be deep.
const MAX_DEPTH: usize = 256;

/// The directory being filled.
pub(super) struct Root {
    root: OwnedFd,
    /// The parent used last; entries come directory by directory.
    last_parent: Option<(PathBuf, OwnedFd)>,
    /// Directories that no entry described, made because something lies in them.
    implicit: BTreeSet<PathBuf>,
    /// Directories and when they were changed, to be set once nothing is put into them any more.
    directories: HashMap<PathBuf, (i64, i64)>,
}

impl Root {
    pub(super) fn open(path: &Path) -> Result<Self, LayerError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root =
            rustix::fs::open(path, flags, Mode::empty()).map_err(|error| failed("open", path, error))?;
        Ok(Self {
            root,
            last_parent: None,
            // Not the root: a container's own upper directory decides about that one.
            implicit: BTreeSet::new(),
            directories: HashMap::new(),
        })
    }

    /// Sets the directories' times and answers which directories no entry described.
    pub(super) fn finish(mut self) -> Result<Vec<PathBuf>, LayerError> {
        for (path, modified) in std::mem::take(&mut self.directories) {
            // One that was replaced since is gone or dated already.
            if let Ok(directory) = self.resolve(&path) {
                rustix::fs::utimensat(&directory, "", &times(modified), AtFlags::EMPTY_PATH)
                    .map_err(|error| failed("set times of", &path, error))?;
            }
        }
        Ok(self.implicit.into_iter().collect())
    }

    /// Puts an entry in place; for a file, answers the open file to write its content to.
    pub(super) fn place(&mut self, entry: &Entry) -> Result<Option<File>, LayerError> {
        let path = inside(&entry.path)?;
        let Some(name) = path.file_name().map(OsStr::to_owned) else {
            return self.describe_root(entry);
        };
        let parent_path = path.parent().unwrap_or(Path::new("")).to_owned();
        self.parent(&parent_path)?;
        if let Some(hidden) = name.as_bytes().strip_prefix(b".wh.") {
            return self.whiteout(&parent_path, &path, hidden).map(|()| None);
        }
        let opaque = self.make_room(&parent_path, &path, &name, entry.kind)?;
        let file = match entry.kind {
            Kind::File => Some(self.file(&path, &name, entry)?),
            Kind::Directory => self.directory(&path, &name, entry, opaque).map(|()| None)?,
            Kind::HardLink => self.hard_link(&path, &name, &entry.link).map(|()| None)?,
            Kind::Symlink | Kind::Character { .. } | Kind::Block { .. } | Kind::Fifo => {
                self.node(&path, &name, entry).map(|()| None)?
            }
        };
        Ok(file)
    }

    /// Owner, attributes, mode and time of a file whose content is complete.
    pub(super) fn complete(file: &File, entry: &Entry) -> Result<(), LayerError> {
        let path = Path::new(OsStr::from_bytes(&entry.path));
        describe(file, path, entry)?;
        rustix::fs::futimens(file, &times(entry.modified))
            .map_err(|error| failed("set times of", path, error))
    }

    fn describe_root(&mut self, entry: &Entry) -> Result<Option<File>, LayerError> {
        if entry.kind != Kind::Directory {
            return Err(refused(Path::new("/"), "the root must be a directory"));
        }
        let root = self.readable(Path::new(""), OsStr::new("."))?;
        describe(&root, Path::new("/"), entry)?;
        self.directories.insert(PathBuf::new(), entry.modified);
        Ok(None)
    }

    /// Opens `path` inside the root, links resolved as if the root were `/`.
    fn resolve(&self, path: &Path) -> Result<OwnedFd, Errno> {
        if path.as_os_str().is_empty() {
            return rustix::io::fcntl_dupfd_cloexec(&self.root, 0);
        }
        rustix::fs::openat2(
            &self.root,
            path,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
        )
    }

    /// Makes `last_parent` the directory `path`, which is made when missing.
    fn parent(&mut self, path: &Path) -> Result<(), LayerError> {
        if self.last_parent.as_ref().is_some_and(|(last, _)| last == path) {
            return Ok(());
        }
        let directory = match self.resolve(path) {
            Err(Errno::NOENT) => {
                self.make_parents(path)?;
                self.resolve(path)
            }
            other => other,
        };
        let directory = directory.map_err(|error| failed("open", path, error))?;
        self.last_parent = Some((path.to_owned(), directory));
        Ok(())
    }

    fn make_parents(&mut self, path: &Path) -> Result<(), LayerError> {
        let mut partial = PathBuf::new();
        for part in path {
            let parent = self.resolve(&partial).map_err(|error| failed("open", &partial, error))?;
            partial.push(part);
            match rustix::fs::mkdirat(&parent, part, Mode::from_raw_mode(0o755)) {
                Ok(()) => {
                    // The mode above went through the process's mask.
                    rustix::fs::chmodat(&parent, part, Mode::from_raw_mode(0o755), AtFlags::empty())
                        .map_err(|error| failed("set mode of", &partial, error))?;
                    self.implicit.insert(partial.clone());
                }
                Err(Errno::EXIST) => {}
                Err(error) => return Err(failed("make directory", &partial, error)),
            }
        }
        Ok(())
    }

    /// The parent opened last. Every caller has called [`Self::parent`] before.
    fn at(&self) -> Result<&OwnedFd, LayerError> {
        self.last_parent
            .as_ref()
            .map(|(_, directory)| directory)
            .ok_or_else(|| damaged("no parent directory"))
    }

    fn stat(&self, name: &OsStr) -> Result<Option<Stat>, LayerError> {
        match rustix::fs::statat(self.at()?, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(failed("look at", Path::new(name), error)),
        }
    }

    /// Removes what an earlier entry left under this name, unless both are directories. Answers whether a
    /// whiteout stood there, so that a directory taking its place must hide what lies below.
    fn make_room(
        &mut self,
        parent: &Path,
        path: &Path,
        name: &OsStr,
        kind: Kind,
    ) -> Result<bool, LayerError> {
        let Some(stat) = self.stat(name)? else { return Ok(false) };
        let existing = FileType::from_raw_mode(stat.st_mode);
        match (existing, kind) {
            (FileType::Directory, Kind::Directory) => return Ok(false),
            (FileType::Directory, _) => {
                remove_tree(self.at()?, name, path, 0)?;
                self.implicit.retain(|made| !made.starts_with(path));
                self.directories.retain(|made, _| !made.starts_with(path));
            }
            _ => rustix::fs::unlinkat(self.at()?, name, AtFlags::empty())
                .map_err(|error| failed("remove", path, error))?,
        }
        // The parent itself may have been reached through what is gone now.
        self.last_parent = None;
        self.parent(parent)?;
        Ok(existing == FileType::CharacterDevice && stat.st_rdev == 0)
    }

    fn file(&self, path: &Path, name: &OsStr, entry: &Entry) -> Result<File, LayerError> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(self.at()?, name, flags, Mode::from_raw_mode(0o600))
            .map_err(|error| failed("create", path, error))?;
        let file = File::from(file);
        if entry.pieces.is_some() {
            file.set_len(entry.size).map_err(|error| LayerError::io("create", path, error))?;
        }
        Ok(file)
    }

    fn directory(
        &mut self,
        path: &Path,
        name: &OsStr,
        entry: &Entry,
        opaque: bool,
    ) -> Result<(), LayerError> {
        match rustix::fs::mkdirat(self.at()?, name, Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(failed("make directory", path, error)),
        }
        let directory = self.readable(path, name)?;
        describe(&directory, path, entry)?;
        if opaque {
            set_opaque(&directory, path)?;
        }
        self.implicit.remove(path);
        self.directories.insert(path.to_owned(), entry.modified);
        Ok(())
    }

    /// The directory `name` of the last parent, opened so that attributes can be set; the root itself for `.`.
    fn readable(&self, path: &Path, name: &OsStr) -> Result<OwnedFd, LayerError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let at = if name == "." { &self.root } else { self.at()? };
        rustix::fs::openat(at, name, flags, Mode::empty()).map_err(|error| failed("open", path, error))
    }

    fn hard_link(&self, path: &Path, name: &OsStr, target: &[u8]) -> Result<(), LayerError> {
        let target = inside(target)?;
        let (Some(target_name), Some(target_parent)) = (target.file_name(), target.parent()) else {
            return Err(refused(path, "a hard link to the root"));
        };
        let directory = self.resolve(target_parent).map_err(|error| failed("open", target_parent, error))?;
        // Without following: a hard link to a symbolic link is the link itself.
        rustix::fs::linkat(&directory, target_name, self.at()?, name, AtFlags::empty())
            .map_err(|error| failed("link", path, error))
    }

    fn node(&self, path: &Path, name: &OsStr, entry: &Entry) -> Result<(), LayerError> {
        let at = self.at()?;
        let mode = Mode::from_raw_mode(0o600);
        let make = |kind: FileType, major: u32, minor: u32| {
            rustix::fs::mknodat(at, name, kind, mode, rustix::fs::makedev(major, minor))
        };
        match entry.kind {
            Kind::Symlink => rustix::fs::symlinkat(OsStr::from_bytes(&entry.link), at, name),
            Kind::Character { major, minor } => make(FileType::CharacterDevice, major, minor),
            Kind::Block { major, minor } => make(FileType::BlockDevice, major, minor),
            _ => make(FileType::Fifo, 0, 0),
        }
        .map_err(|error| failed("make", path, error))?;
        let nofollow = AtFlags::SYMLINK_NOFOLLOW;
        let (uid, gid) = owner(entry, path)?;
        rustix::fs::chownat(at, name, uid, gid, nofollow)
            .map_err(|error| failed("set owner of", path, error))?;
        for (attribute, value) in allowed_xattrs(entry) {
            // The descriptor pins the directory, and `l` keeps from following the name in it.
            let pinned = Path::new("/proc/self/fd").join(at.as_raw_fd().to_string()).join(name);
            match rustix::fs::lsetxattr(&pinned, attribute, value, XattrFlags::empty()) {
                // Links and devices take few kinds of attributes.
                Ok(()) | Err(Errno::PERM | Errno::OPNOTSUPP) => {}
                Err(error) => return Err(failed("set attribute of", path, error)),
            }
        }
        if entry.kind != Kind::Symlink {
            rustix::fs::chmodat(at, name, Mode::from_raw_mode(entry.mode), AtFlags::empty())
                .map_err(|error| failed("set mode of", path, error))?;
        }
        rustix::fs::utimensat(at, name, &times(entry.modified), nofollow)
            .map_err(|error| failed("set times of", path, error))
    }

    /// `.wh.NAME` hides NAME of the layers below, `.wh..wh..opq` hides all that the directory has there.
    fn whiteout(&mut self, parent: &Path, path: &Path, hidden: &[u8]) -> Result<(), LayerError> {
        if hidden == b".wh..opq" {
            let directory = rustix::fs::openat(
                self.at()?,
                ".",
                OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            )
            .map_err(|error| failed("open", parent, error))?;
            return set_opaque(&directory, parent);
        }
        if hidden.starts_with(b".wh.") {
            // Bookkeeping of aufs; nothing of it belongs to the image.
            return Ok(());
        }
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(refused(path, "a whiteout of nothing"));
        }
        let name = OsStr::from_bytes(hidden);
        match self.stat(name)?.map(|stat| FileType::from_raw_mode(stat.st_mode)) {
            // A whiteout concerns the layers below. What this layer has itself stays, and hides them anyway...
            Some(FileType::Directory) => {
                // ... except that directories of the same name would be merged.
                let directory = self.readable(path, name)?;
                set_opaque(&directory, path)
            }
            Some(_) => Ok(()),
            None => rustix::fs::mknodat(self.at()?, name, FileType::CharacterDevice, Mode::empty(), 0)
                .map_err(|error| failed("hide", path, error)),
        }
    }
}

/// The path inside the root that an archive's path means, without `.` and leading slashes.
fn inside(path: &[u8]) -> Result<PathBuf, LayerError> {
    let shown = || Path::new(OsStr::from_bytes(&path[..path.len().min(256)]));
    if path.len() > MAX_PATH || path.contains(&0) {
        return Err(refused(shown(), "not a path"));
    }
    let mut inside = PathBuf::new();
    let mut depth = 0;
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err(refused(shown(), "the path leaves the image's root")),
            part => {
                depth += 1;
                inside.push(OsString::from_vec(part.to_vec()));
            }
        }
    }
    if depth > MAX_DEPTH { Err(refused(shown(), "too deep")) } else { Ok(inside) }
}

fn remove_tree(at: &OwnedFd, name: &OsStr, path: &Path, depth: usize) -> Result<(), LayerError> {
    if depth > MAX_DEPTH {
        return Err(refused(path, "too deep"));
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let remove = |error| failed("remove", path, error);
    let directory = rustix::fs::openat(at, name, flags, Mode::empty()).map_err(remove)?;
    for child in Dir::read_from(&directory).map_err(remove)? {
        let child = child.map_err(remove)?;
        let child = OsStr::from_bytes(child.file_name().to_bytes());
        if child == "." || child == ".." {
            continue;
        }
        match rustix::fs::unlinkat(&directory, child, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::ISDIR) => remove_tree(&directory, child, path, depth + 1)?,
            Err(error) => return Err(remove(error)),
        }
    }
    rustix::fs::unlinkat(at, name, AtFlags::REMOVEDIR).map_err(remove)
}

pub(super) fn refused(path: &Path, reason: &str) -> LayerError {
    LayerError::Entry { path: path.to_owned(), reason: reason.to_owned() }
}

/// What an answer of the kernel means: the archive's fault, a full disk, or the machine's fault.
pub(super) fn failed(step: &'static str, path: &Path, error: Errno) -> LayerError {
    match error {
        // These can only come from what the archive asks for.
        Errno::NOTDIR | Errno::ISDIR | Errno::EXIST | Errno::LOOP | Errno::NAMETOOLONG | Errno::XDEV => {
            LayerError::Entry { path: path.to_owned(), reason: error.to_string() }
        }
        Errno::NOENT if step == "link" => {
            LayerError::Entry { path: path.to_owned(), reason: "a hard link to nothing".to_owned() }
        }
        error => LayerError::io(step, path, error.into()),
    }
}
