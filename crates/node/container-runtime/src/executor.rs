//! The last steps before a container's program: seccomp, capabilities, init, exec.
//!
//! `libcontainer` calls this in the container's process. Installing a filter needs CAP_SYS_ADMIN or no-new-privileges,
//! and the latter would break programs such as su and ping, so the process arrives here with CAP_SYS_ADMIN on top of
//! what it may have, installs the filter, and lets go of it.

#![expect(
    unsafe_code,
    reason = "setting what a signal does and closing a range of descriptors have no safe form"
)]

use crate::failure::Failure;
use crate::{init, seccomp};
use caps::{CapSet, Capability, CapsHashSet};
use libcontainer::oci_spec::runtime::Spec;
use libcontainer::workload::{Executor, ExecutorError, ExecutorValidationError};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::str::FromStr;

/// Where the report goes, above standard input and outputs.
const REPORT: RawFd = 3;

#[derive(Clone)]
pub(crate) struct ShimExecutor {
    /// Capabilities the program may have, with `CAP_`.
    pub(crate) capabilities: Vec<String>,
    /// Filters, compiled before.
    pub(crate) filters: seccomp::Filters,
    /// Stay behind as init.
    pub(crate) init: bool,
    /// Writing end of the pipe that tells why the program did not start.
    pub(crate) report: RawFd,
}

impl Executor for ShimExecutor {
    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        let failed = |text: String| ExecutorError::Other(text);
        let report =
            close_inherited(self.report).map_err(|error| failed(format!("close descriptors: {error}")))?;
        let (report, failure) = self.become_program(spec, report);
        failure.tell(report);
        std::process::exit(127)
    }

    fn validate(&self, _spec: &Spec) -> Result<(), ExecutorValidationError> {
        Ok(())
    }
}

impl ShimExecutor {
    /// Returns only when that failed, with the report to tell it through.
    fn become_program(&self, spec: &Spec, report: OwnedFd) -> (OwnedFd, Failure) {
        let argv = match self.confine(spec) {
            Ok(argv) => argv,
            Err(text) => return (report, Failure::Before(text)),
        };
        let (report, forked) = if self.init { init::become_init(report) } else { (report, Ok(())) };
        if let Err(error) = forked {
            return (report, Failure::Before(format!("start the init process: {error}")));
        }
        (report, execute(&argv))
    }

    /// Everything between the process and its program.
    fn confine(&self, spec: &Spec) -> Result<Vec<CString>, String> {
        let args = spec.process().as_ref().and_then(|process| process.args().clone());
        let args = args.filter(|args| !args.is_empty()).ok_or("no command specified")?;
        let argv = args.iter().map(|arg| CString::new(arg.as_str())).collect::<Result<Vec<_>, _>>();
        let argv = argv.map_err(|_| "an argument holds a zero byte")?;
        seccomp::install(&self.filters).map_err(|error| format!("install the seccomp filter: {error}"))?;
        self.drop_capabilities().map_err(|error| format!("drop capabilities: {error}"))?;
        reset_signals().map_err(|error| format!("reset signals: {error}"))?;
        Ok(argv)
    }

    fn drop_capabilities(&self) -> Result<(), caps::errors::CapsError> {
        // Exec takes them all from a user other than root, but would still use them to find and open the program.
        let names = if nix::unistd::geteuid().is_root() { self.capabilities.as_slice() } else { &[] };
        let wanted: CapsHashSet = names.iter().filter_map(|name| Capability::from_str(name).ok()).collect();
        // Only what the process has now can be kept: a user other than root may have less.
        for set in [CapSet::Effective, CapSet::Permitted] {
            let now = caps::read(None, set)?;
            caps::set(None, set, &now.intersection(&wanted).copied().collect())?;
        }
        Ok(())
    }
}

/// Becomes the program, as container engines find it: by its path, or in the directories of PATH. Unlike `execvp`, a
/// file that is no program is not given to a shell.
fn execute(argv: &[CString]) -> Failure {
    let name = &argv[0];
    let path = if name.as_bytes().contains(&b'/') {
        name.clone()
    } else {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&paths)
            .map(|dir| dir.join(OsStr::from_bytes(name.as_bytes())))
            .find(|path| {
                path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
            });
        match found.map(|path| CString::new(path.into_os_string().into_vec())) {
            Some(Ok(path)) => path,
            _ => return Failure::Before("executable file not found in $PATH".to_owned()),
        }
    };
    let errno = match nix::unistd::execv(&path, argv) {
        Ok(never) => match never {},
        Err(errno) => errno,
    };
    Failure::Exec { path: path.to_string_lossy().into_owned(), errno: errno as i32 }
}

/// Closes everything but standard input and outputs and the report. Exec would do so too, but an init process stays
/// without exec, and holding the shim's lock and connections it would make a dead shim look alive.
fn close_inherited(report: RawFd) -> io::Result<OwnedFd> {
    if report != REPORT {
        // SAFETY: the call takes three numbers. What was open as `REPORT` is not used from here on.
        if unsafe { libc::dup3(report, REPORT, libc::O_CLOEXEC) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    // SAFETY: from here on nothing uses a descriptor above these; this process only becomes the program or its init.
    let result = unsafe { libc::syscall(libc::SYS_close_range, REPORT + 1, libc::c_uint::MAX, 0) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and whoever else knew the number is not asked any more.
    Ok(unsafe { OwnedFd::from_raw_fd(REPORT) })
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
