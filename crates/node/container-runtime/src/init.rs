//! The init process of containers that ask for one: reaps orphans and passes signals on.
//!
//! It is no program of its own: the container's first process forks, the child becomes the container's program, and
//! the parent stays as init. Nothing has to be put into the image for it.

#![expect(unsafe_code, reason = "fork has no safe form")]

use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use std::os::fd::OwnedFd;

/// Forks. Returns in the child, which goes on to become the program, or at once when it fails; the parent never
/// returns. `report` is what exec closes: only the child keeps it, or nobody would see the exec.
pub(crate) fn become_init(report: OwnedFd) -> (OwnedFd, nix::Result<()>) {
    match split() {
        Ok(Role::Program) => (report, Ok(())),
        Ok(Role::Init { program, signals }) => {
            drop(report);
            std::process::exit(reap(program, &signals))
        }
        Err(errno) => (report, Err(errno)),
    }
}

enum Role {
    Program,
    Init { program: Pid, signals: SigSet },
}

fn split() -> nix::Result<Role> {
    let all = SigSet::all();
    let before = SigSet::thread_get_mask()?;
    all.thread_block()?;
    // SAFETY: this process has one thread, so the child may use everything the parent could.
    match unsafe { fork() }? {
        ForkResult::Child => before.thread_set_mask().map(|()| Role::Program),
        ForkResult::Parent { child } => Ok(Role::Init { program: child, signals: all }),
    }
}

/// Waits for signals: ends of children are collected, everything else goes to the program.
fn reap(program: Pid, signals: &SigSet) -> i32 {
    loop {
        match signals.wait() {
            Ok(Signal::SIGCHLD) => {
                if let Some(code) = collect(program) {
                    return code;
                }
            }
            Ok(signal) => {
                // The program may be gone; then its end is collected next.
                let _ = kill(program, signal);
            }
            Err(_) => return 255,
        }
    }
}

fn collect(program: Pid) -> Option<i32> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == program => return Some(code),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == program => return Some(128 + signal as i32),
            Ok(WaitStatus::StillAlive) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}
