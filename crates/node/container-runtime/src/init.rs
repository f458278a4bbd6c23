//! The init process of containers that ask for one: reaps orphans and passes signals on.
//!
//! It is no program of its own: the container's first process forks, the child becomes the container's program, and
//! the parent stays as init. Nothing has to be put into the image for it.

#![expect(unsafe_code, reason = "fork has no safe form")]

use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

/// Forks. Returns in the child, which goes on to become the program; the parent never returns.
pub(crate) fn become_init() -> nix::Result<()> {
    let all = SigSet::all();
    let before = SigSet::thread_get_mask()?;
    all.thread_block()?;
    // SAFETY: this process has one thread, so the child may use everything the parent could.
    match unsafe { fork() }? {
        ForkResult::Child => before.thread_set_mask(),
        ForkResult::Parent { child } => std::process::exit(reap(child, &all)),
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
