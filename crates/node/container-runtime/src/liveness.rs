//! Whether a shim lives, and waiting for its death.
//!
//! A shim holds a lock that belongs to its process alone. A lock of the open file would not do, nor would waiting for
//! the end of a connection: a process that the shim has forked, and that has not become its program yet, holds both,
//! and stays when the shim is killed at that moment.

#![expect(unsafe_code, reason = "opening a process by its number has no safe form")]

use nix::fcntl::{FcntlArg, fcntl};
use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

fn whole_file() -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

/// Takes the lock for this process. It holds until the file is dropped or the process is gone, however it goes.
pub(crate) fn hold(lock: &Path) -> io::Result<File> {
    let file = File::create(lock)?;
    fcntl(&file, FcntlArg::F_SETLK(&whole_file()))?;
    Ok(file)
}

/// The process that holds the lock.
fn holder(lock: &Path) -> Option<i32> {
    let file = File::open(lock).ok()?;
    let mut found = whole_file();
    fcntl(&file, FcntlArg::F_GETLK(&mut found)).ok()?;
    (found.l_type != libc::F_UNLCK as libc::c_short).then_some(found.l_pid)
}

/// Whether a shim holds the lock.
pub(crate) fn shim_lives(lock: &Path) -> bool {
    holder(lock).is_some()
}

/// Returns once no shim holds the lock any more. Waits for ever where the kernel cannot tell of it.
pub(crate) async fn death(lock: &Path) {
    let Some(pid) = holder(lock) else { return };
    // SAFETY: the call takes two numbers and returns a new descriptor or an error.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    // The number may have gone to another process just now, but the lock has not.
    if holder(lock) != Some(pid) {
        return;
    }
    let Ok(descriptor) = i32::try_from(result) else { return std::future::pending().await };
    if descriptor < 0 {
        return std::future::pending().await;
    }
    // SAFETY: the descriptor is new and nobody else has it.
    let process = unsafe { OwnedFd::from_raw_fd(descriptor) };
    // SAFETY: the descriptor is owned by what is registered, so it stays open and the same until it is deregistered.
    match unsafe { AsyncFd::register_with_interest(process, Interest::READABLE) } {
        // Readable is what it becomes when the process ends.
        Ok(process) => drop(process.readable().await),
        Err(_) => std::future::pending().await,
    }
}
