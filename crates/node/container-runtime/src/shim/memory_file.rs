//! Documents that `libcontainer` reads from a path and that must not get onto a disk: the variables in them may hold
//! secrets. They are in memory, and the path is a link to the descriptor, which only this process can follow.

use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Puts a document behind a path for as long as the file lives.
pub(super) fn at(path: &Path, text: &str) -> io::Result<File> {
    let mut file = File::from(memfd_create("document", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(text.as_bytes())?;
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(format!("/proc/self/fd/{}", file.as_raw_fd()), path)?;
    Ok(file)
}
