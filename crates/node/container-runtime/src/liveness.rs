//! Whether a shim lives, and waiting for its death.
//!
//! A shim holds a lock that belongs to its process alone. A lock of the open file would not do, nor would waiting for
//! the end of a connection: a process that the shim has forked, and that has not become its program yet, holds both,
//! and stays when the shim is killed at that moment.

#![expect(unsafe_code, reason = "opening a process by its number has no safe form")]

use crate::SHIM_COMMAND;
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// How long the end of killed processes may take.
const KILL_TIME: Duration = Duration::from_secs(10);

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

/// Kills a shim that does not answer, and what a killed one had forked that has not become its program yet: such a
/// process would go on and make groups anew after they were removed. `folder` is the sandbox's.
pub(crate) fn kill_all(folder: &Path) -> io::Result<()> {
    let deadline = Instant::now() + KILL_TIME;
    loop {
        let left = processes_of(folder)?;
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        for pid in left {
            // Gone already is as good.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        sleep(Duration::from_millis(1));
    }
}

/// Processes whose command line is that of the shim of this sandbox.
fn processes_of(folder: &Path) -> io::Result<Vec<i32>> {
    let is_shim = |pid: &i32| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut arguments = command.split(|byte| *byte == 0).skip(1);
        arguments.next() == Some(SHIM_COMMAND.as_bytes())
            && arguments.next() == Some(folder.as_os_str().as_bytes())
    };
    let pids = fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(pids.filter(is_shim).collect())
}
