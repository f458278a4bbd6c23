//! The last steps before a container's program: seccomp, capabilities, init, exec.
//!
//! `libcontainer` calls this in the container's process. Installing a filter needs CAP_SYS_ADMIN or no-new-privileges,
//! and the latter would break programs such as su and ping, so the process arrives here with CAP_SYS_ADMIN on top of
//! what it may have, installs the filter, and lets go of it.

#![expect(
    unsafe_code,
    reason = "setting what a signal does and closing a range of descriptors have no safe form"
)]

use crate::{init, seccomp};
use caps::{CapSet, Capability, CapsHashSet};
use libcontainer::oci_spec::runtime::Spec;
use libcontainer::workload::{Executor, ExecutorError, ExecutorValidationError};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::ffi::CString;
use std::io;
use std::str::FromStr;

#[derive(Clone)]
pub(crate) struct ShimExecutor {
    /// Capabilities the program may have, with `CAP_`.
    pub(crate) capabilities: Vec<String>,
    /// Filters, compiled before.
    pub(crate) filters: seccomp::Filters,
    /// Stay behind as init.
    pub(crate) init: bool,
}

impl Executor for ShimExecutor {
    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        let args = spec.process().as_ref().and_then(|process| process.args().clone());
        let args = args.filter(|args| !args.is_empty()).ok_or(ExecutorError::InvalidArg)?;
        let argv = args.iter().map(|arg| CString::new(arg.as_str())).collect::<Result<Vec<_>, _>>();
        let argv = argv.map_err(|_| ExecutorError::InvalidArg)?;
        let failed = |text: String| ExecutorError::Other(text);
        close_inherited().map_err(|error| failed(format!("close descriptors: {error}")))?;
        seccomp::install(&self.filters)
            .map_err(|error| failed(format!("install the seccomp filter: {error}")))?;
        self.drop_capabilities().map_err(|error| failed(format!("drop capabilities: {error}")))?;
        reset_signals().map_err(|error| failed(format!("reset signals: {error}")))?;
        if self.init {
            init::become_init().map_err(|error| failed(format!("start the init process: {error}")))?;
        }
        let error = nix::unistd::execvp(&argv[0], &argv).err();
        let text = error.map_or("", nix::errno::Errno::desc);
        // Seen only in the container's output; the usual reasons were ruled out before the start.
        eprintln!("exec: \"{}\": {text}", args[0]);
        std::process::exit(127);
    }

    fn validate(&self, _spec: &Spec) -> Result<(), ExecutorValidationError> {
        Ok(())
    }
}

impl ShimExecutor {
    fn drop_capabilities(&self) -> Result<(), caps::errors::CapsError> {
        let wanted: CapsHashSet =
            self.capabilities.iter().filter_map(|name| Capability::from_str(name).ok()).collect();
        // Only what the process has now can be kept: a user other than root may have less.
        for set in [CapSet::Effective, CapSet::Permitted] {
            let now = caps::read(None, set)?;
            caps::set(None, set, &now.intersection(&wanted).copied().collect())?;
        }
        Ok(())
    }
}

/// Closes everything but standard input and outputs. Exec would do so too, but an init process stays without exec,
/// and holding the shim's lock and connections it would make a dead shim look alive.
fn close_inherited() -> io::Result<()> {
    // SAFETY: from here on nothing uses a descriptor above 2; this process only becomes the program or its init.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Undoes what exec would hand on of this process: the shim waits for SIGCHLD with the signal blocked, the Rust runtime
/// ignores SIGPIPE, and the server may have been started with others ignored. A program expects none of it.
fn reset_signals() -> nix::Result<()> {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    let fixed = [Signal::SIGKILL, Signal::SIGSTOP];
    for signal in Signal::iterator().filter(|signal| !fixed.contains(signal)) {
        // SAFETY: the default action runs no code of ours.
        unsafe { sigaction(signal, &default) }?;
    }
    SigSet::empty().thread_set_mask()
}
