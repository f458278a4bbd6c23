//! The process that keeps the PID namespace which the containers of a sandbox share.
//!
//! It is the namespace's first process: orphans become its children, and it collects them. The namespace lives as long
//! as it does, whichever containers come and go. Containers see it, and one that may trace others may trace it. So
//! before any starts it has given up all that would be worth it: its privileges, its user, every file, and the host's
//! namespaces.

#![expect(unsafe_code, reason = "fork has no safe form")]

use crate::cgroup;
use caps::CapSet;
use nix::fcntl::OFlag;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::SigSet;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{
    ForkResult, Gid, Pid, Uid, chdir, fork, pipe2, pivot_root, setgroups, setresgid, setresuid,
};
use std::fs::File;
use std::io::{self, Read, Write};

/// The group of the keeper below the sandbox's; no container has a name with a dot.
const GROUP: &str = "pid.keeper";
/// Descriptors that the shim may have open.
const MOST_DESCRIPTORS: i32 = 1024;
/// A user that owns nothing.
const NOBODY: u32 = 65_534;

/// Starts it and answers its process id. It ends with the sandbox's group.
pub(crate) fn start(sandbox_group: &str) -> Result<i32, String> {
    let failed = |error: nix::errno::Errno| format!("start the keeper of the processes' namespace: {error}");
    let (read, write) = pipe2(OFlag::O_CLOEXEC).map_err(failed)?;
    // SAFETY: the shim has one thread, so the child may use everything.
    match unsafe { fork() }.map_err(failed)? {
        ForkResult::Child => {
            drop(read);
            std::process::exit(i32::from(make(File::from(write)).is_err()))
        }
        ForkResult::Parent { child } => {
            drop(write);
            let mut number = [0; 4];
            let told = File::from(read).read_exact(&mut number);
            // The process in between has told all it knows.
            let _ = waitpid(child, None);
            told.map_err(|error| format!("learn the keeper of the processes' namespace: {error}"))?;
            let keeper = i32::from_le_bytes(number);
            cgroup::join_beside_containers(sandbox_group, GROUP, keeper)
                .map_err(|error| format!("limit the keeper of the processes' namespace: {error}"))?;
            Ok(keeper)
        }
    }
}

/// Makes the namespace, leaves its first process in it, and tells which one that is once it is harmless.
fn make(mut tell: File) -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWPID)?;
    let (ready, mut say_ready) = pipe2(OFlag::O_CLOEXEC).map(|(r, w)| (File::from(r), File::from(w)))?;
    // SAFETY: this process has one thread, too.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            drop(say_ready);
            let mut ready = ready;
            ready.read_exact(&mut [0])?;
            tell.write_all(&child.as_raw().to_le_bytes())
        }
        ForkResult::Child => {
            drop((tell, ready));
            if become_harmless().and_then(|()| say_ready.write_all(&[1])).is_err() {
                std::process::exit(1);
            }
            keep()
        }
    }
}

/// Gives up every namespace, file and privilege of the host.
fn become_harmless() -> io::Result<()> {
    unshare(
        CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWUTS,
    )?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    // Any directory that is there on every machine serves as the place of an empty root.
    mount(Some("empty"), "/sys", Some("tmpfs"), MsFlags::MS_RDONLY, Some("size=4k"))?;
    chdir("/sys")?;
    pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    chdir("/")?;
    let failed = |error: caps::errors::CapsError| io::Error::other(error.to_string());
    caps::clear(None, CapSet::Bounding).map_err(failed)?;
    setgroups(&[])?;
    setresgid(Gid::from_raw(NOBODY), Gid::from_raw(NOBODY), Gid::from_raw(NOBODY))?;
    setresuid(Uid::from_raw(NOBODY), Uid::from_raw(NOBODY), Uid::from_raw(NOBODY))?;
    for set in [CapSet::Ambient, CapSet::Effective, CapSet::Permitted, CapSet::Inheritable] {
        caps::clear(None, set).map_err(failed)?;
    }
    nix::sys::prctl::set_no_new_privs()?;
    nix::sys::prctl::set_dumpable(false)?;
    Ok(())
}

fn keep() -> ! {
    for number in 0..MOST_DESCRIPTORS {
        // What is not open cannot be closed.
        let _ = nix::unistd::close(number);
    }
    let all = SigSet::all();
    let _ = all.thread_set_mask();
    loop {
        let _ = all.wait();
        let next = || waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG));
        while matches!(next(), Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..))) {}
    }
}
