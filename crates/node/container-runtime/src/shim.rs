//! The shim process: one thread, one poll loop, one sandbox.
//!
//! It is started with a listening socket as standard input, daemonizes, takes its lock, makes a mount namespace of its
//! own and the sandbox's control group, and then serves questions and collects exits until it is told to remove
//! everything or is killed.

mod attach;
mod container;
mod exec;
mod memory;
mod memory_file;
mod serve;
mod terminal;

use crate::spec::SandboxSpec;
use crate::{cgroup, keeper, liveness, volumes};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{ForkResult, setsid};
use std::ffi::OsString;
use std::fs;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::exit;

/// Runs this process as a shim and never returns. `arguments` are those after [`crate::SHIM_COMMAND`]: the sandbox's
/// directory and its control group. Must be called before the process has a second thread.
pub fn shim_main(arguments: Vec<OsString>) -> ! {
    let [folder, group] = arguments.as_slice() else {
        eprintln!("a shim is started by the agent, with a directory and a control group");
        exit(2)
    };
    let threads = fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    assert!(threads == 1, "a shim has one thread, this process has {threads}");
    match start(PathBuf::from(folder), group.to_string_lossy().into_owned()) {
        Ok(()) => exit(0),
        Err(error) => {
            eprintln!("{error}");
            exit(1)
        }
    }
}

#[expect(unsafe_code, reason = "fork, and owning a descriptor by its number, have no safe form")]
fn start(folder: PathBuf, group: String) -> Result<(), String> {
    let failed = |action: &'static str| move |error: std::io::Error| format!("{action}: {error}");
    // SAFETY: the agent passes the listening socket as descriptor 0, and nothing else uses that descriptor.
    let listener = UnixListener::from(unsafe { OwnedFd::from_raw_fd(0) });
    // SAFETY: this process has one thread (asserted above), so the child may use everything.
    match unsafe { nix::unistd::fork() }.map_err(|error| format!("fork: {error}"))? {
        // The agent waits for this process only; the shim itself belongs to the machine's init from now on.
        ForkResult::Parent { .. } => exit(0),
        ForkResult::Child => {}
    }
    setsid().map_err(|error| format!("setsid: {error}"))?;
    cgroup::leave_service();
    // As container engines have it, whatever the server was started with.
    umask(Mode::from_bits_truncate(0o022));
    // Until a container's program replaces it, a process in there is this program: nobody inside may look into it, nor
    // reach this program's file through /proc/PID/exe.
    nix::sys::prctl::set_dumpable(false).map_err(|error| format!("refuse to be looked into: {error}"))?;
    let text = fs::read(folder.join("sandbox.json")).map_err(failed("read the sandbox"))?;
    let spec: SandboxSpec =
        serde_json::from_slice(&text).map_err(|error| format!("read the sandbox: {error}"))?;
    // Held until this process is gone, however it goes.
    let _lock = liveness::hold(&folder.join("lock")).map_err(failed("lock"))?;
    nix::sys::prctl::set_child_subreaper(true).map_err(|error| format!("become a subreaper: {error}"))?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(|error| format!("make a mount namespace: {error}"))?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_SLAVE, None::<&str>)
        .map_err(|error| format!("detach the mount namespace: {error}"))?;
    let_go_of_namespaces(&spec.network_namespace);
    volumes::prepare(&folder, &spec)?;
    cgroup::create(&group, &spec).map_err(failed("create the control group"))?;
    let processes = spec.shared_processes.then(|| keeper::start(&group)).transpose()?;
    serve::Shim::new(folder, group, spec, listener, processes)?.serve()
}

/// Unmounts the network namespaces of other tasks from this process's own copy of the mounts, where they would outlive
/// their tasks.
fn let_go_of_namespaces(own: &Path) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    // Fields: id, parent, device, root, mount point, options, ..., "-", type, ...
    let others =
        mounts.lines().filter(|line| line.contains(" - nsfs ")).filter_map(|line| line.split(' ').nth(4));
    for path in others.map(Path::new).filter(|path| *path != own) {
        // What stays mounted is only kept for as long as this process lives.
        let _ = umount2(path, MntFlags::MNT_DETACH);
    }
}
