//! A container of the sandbox.

use super::memory_file;
use super::terminal::ConsoleSocket;
use crate::executor::ShimExecutor;
use crate::failure::{self, Failure};
use crate::logs::{LogWriter, now_ms};
use crate::protocol::Phase;
use crate::rootfs::{self, User};
use crate::spec::{ContainerSpec, SandboxSpec};
use crate::{cgroup, guard, oci, seccomp};
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, pipe2};
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Bytes read from an output at a time; each shim keeps about as much memory for good.
const CHUNK: usize = 16 * 1024;
/// Reads in one turn, so that one loud container does not keep the others waiting.
const TURN: usize = 64;

/// Whether a log's bound holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bound {
    Kept,
    Ignored,
}

pub(super) struct Container {
    spec: ContainerSpec,
    id: String,
    group: String,
    root: PathBuf,
    user: User,
    home: String,
    pid: i32,
    phase: Phase,
    outputs: [Option<File>; 2],
    log: Option<LogWriter>,
    kills_before: u64,
    /// The other end of an input that stays open.
    _input: Option<OwnedFd>,
    /// Its processes do not end with its first one by themselves.
    shares_processes: bool,
    /// Commands that join the container read it again.
    _bundle_file: File,
}

/// Where a container is made.
pub(super) struct Place<'a> {
    /// Directory of the sandbox.
    pub(super) folder: &'a Path,
    pub(super) sandbox_group: &'a str,
    pub(super) sandbox: &'a SandboxSpec,
    /// The process whose PID namespace it shares, if it shares one.
    pub(super) processes: Option<i32>,
}

impl Container {
    /// Makes and starts a container. What was made is undone when it fails, and the text says why.
    pub(super) fn start(place: &Place<'_>, spec: ContainerSpec, others: &[Self]) -> Result<Self, String> {
        let (folder, sandbox_group) = (place.folder, place.sandbox_group);
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if spec.name.is_empty()
            || !spec.name.bytes().all(plain)
            || others.iter().any(|c| c.name() == spec.name && !c.may_run_again(&spec))
        {
            return Err(format!("a container cannot be named {:?}", spec.name));
        }
        if spec.argv.is_empty() {
            return Err("no command specified".to_owned());
        }
        if let Some(text) = guard::refusal(&spec) {
            return Err(text);
        }
        if spec.run > 0 {
            // What the runtime remembers of the run before is in the way; the files of the container stay.
            let _ = fs::remove_dir_all(folder.join("oci").join(&spec.name));
        }
        let bundle = folder.join("containers").join(&spec.name);
        fs::create_dir_all(&bundle).map_err(|error| format!("create the bundle: {error}"))?;
        let writable = folder.join("scratch").join("containers").join(&spec.name);
        let root = rootfs::mount_overlay(&bundle, &spec.layers, &writable)
            .map_err(|error| format!("mount the root file system: {error}"))?;
        let group = format!("{sandbox_group}/{}", spec.name);
        let name = spec.name.clone();
        let made = Self::run(place, spec, &bundle, root.clone(), group.clone());
        if made.is_err() {
            rootfs::unmount(&root);
            // What stays is removed with the sandbox.
            let _ = fs::remove_dir_all(&bundle);
            let _ = fs::remove_dir_all(&writable);
            let _ = fs::remove_dir_all(folder.join("oci").join(&name));
            if let Err(error) = cgroup::destroy(&group) {
                eprintln!("cannot remove the group of a container that did not start: {error}");
            }
        }
        made
    }

    fn run(
        place: &Place<'_>,
        spec: ContainerSpec,
        bundle: &Path,
        root: PathBuf,
        group: String,
    ) -> Result<Self, String> {
        let (folder, sandbox) = (place.folder, place.sandbox);
        let user = rootfs::user(&root, spec.user.as_deref())?;
        let home = rootfs::home(&root, user.uid);
        let cwd = if spec.cwd.is_empty() { "/" } else { &spec.cwd };
        rootfs::make_directory(&root, cwd)
            .map_err(|error| format!("make the working directory {cwd}: {error}"))?;
        let hidden = |mount: &str| spec.argv[0].starts_with(mount.trim_end_matches('/'));
        let mounted = spec.mounts.iter().any(|mount| hidden(&mount.target))
            || spec.tmpfs.iter().any(|tmpfs| hidden(&tmpfs.target));
        if !mounted && let Some(text) = rootfs::missing_program(&root, &spec.argv[0], &spec.env, cwd) {
            return Err(text);
        }
        let mut process = oci::process(&spec, &spec.argv, &user, &home);
        process["terminal"] = spec.terminal.into();
        let config = oci::config(sandbox, &spec, process, &root, &group, folder, place.processes);
        let bundle_file = memory_file::at(&bundle.join("config.json"), &config.to_string())
            .map_err(|error| format!("write the bundle: {error}"))?;
        let mut outputs = [None, None];
        let mut ends = Vec::new();
        let mut log = None;
        if spec.keep_output {
            log = Some(
                LogWriter::create(&folder.join("logs").join(crate::logs::folder_of(&spec.name, spec.run)))
                    .map_err(|error| format!("create the log: {error}"))?,
            );
        }
        if spec.keep_output && !spec.terminal {
            for output in &mut outputs {
                let (read, write) = output_pipe()?;
                *output = Some(read);
                ends.push(write);
            }
        } else {
            for _ in 0..2 {
                ends.push(OwnedFd::from(null()?));
            }
        }
        let id = container_id(sandbox, &spec.name);
        let kills_before = cgroup::memory_kills(&group);
        let (report, end) = pipe2(OFlag::O_CLOEXEC).map_err(|error| format!("make a pipe: {error}"))?;
        let executor = executor(&spec, spec.init, &end)?;
        let mut ends = ends.into_iter();
        let (Some(out), Some(err)) = (ends.next(), ends.next()) else { return Err("no outputs".to_owned()) };
        let failed = |error: std::io::Error| format!("make a terminal: {error}");
        let console = spec.terminal.then(|| ConsoleSocket::listen(bundle)).transpose().map_err(failed)?;
        let (input, kept_open) = input(&spec)?;
        let mut container = ContainerBuilder::new(spec.name.clone(), SyscallType::default())
            .with_executor(executor)
            .with_root_path(folder.join("oci"))
            .map_err(|error| chain(&error))?
            .with_stdin(input)
            .with_stdout(out)
            .with_stderr(err)
            .with_console_socket(console.as_ref().map(ConsoleSocket::path))
            .as_init(bundle)
            .with_systemd(false)
            .with_detach(true)
            .build()
            .map_err(|error| chain(&error))?;
        let pid = container.pid().ok_or("the container has no process")?.as_raw();
        if let Some(console) = console {
            outputs[0] = Some(console.take().map_err(failed)?);
        }
        container.start().map_err(|error| chain(&error))?;
        drop(end);
        if let Some(failure) = failure::wait(report)? {
            return Err(failure.explain(&root, &spec.argv[0]));
        }
        let phase = Phase::Running { pid };
        Ok(Self {
            spec,
            id,
            group,
            root,
            user,
            home,
            pid,
            phase,
            outputs,
            log,
            kills_before,
            _input: kept_open,
            shares_processes: place.processes.is_some(),
            _bundle_file: bundle_file,
        })
    }

    /// It has ended, and this is a later run of it.
    fn may_run_again(&self, spec: &ContainerSpec) -> bool {
        matches!(self.phase, Phase::Exited { .. }) && spec.run > self.spec.run
    }

    pub(super) fn name(&self) -> &str {
        &self.spec.name
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn group(&self) -> &str {
        &self.group
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn is(&self, pid: i32) -> bool {
        self.pid == pid && matches!(self.phase, Phase::Running { .. })
    }

    /// The process of a command in this container.
    pub(super) fn process(&self, argv: &[String]) -> serde_json::Value {
        oci::process(&self.spec, argv, &self.user, &self.home)
    }

    /// The user of its first process, as the host numbers it.
    pub(super) fn user_id(&self) -> u32 {
        self.user.uid
    }

    /// What starts a command in this container.
    pub(super) fn executor(&self, report: &OwnedFd) -> Result<ShimExecutor, String> {
        executor(&self.spec, false, report)
    }

    /// Why a command did not start, for a person.
    pub(super) fn explain(&self, failure: &Failure, program: &str) -> String {
        failure.explain(&self.root, program)
    }

    /// Why a command cannot be started; `None` when it can.
    pub(super) fn missing_program(&self, program: &str) -> Option<String> {
        rootfs::missing_program(&self.root, program, &self.spec.env, &self.spec.cwd)
    }

    pub(super) fn signal(&self, signal: i32) -> Result<(), String> {
        let signal = Signal::try_from(signal).map_err(|_| format!("there is no signal {signal}"))?;
        match self.phase {
            // The process is not collected yet, so the number cannot belong to another.
            Phase::Running { pid } => {
                kill(Pid::from_raw(pid), signal).map_err(|error| format!("signal: {error}"))
            }
            Phase::Exited { .. } => Ok(()),
        }
    }

    /// Outputs to wait for; none while the log is full.
    pub(super) fn outputs(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let wanted = !self.is_full();
        self.outputs.iter().flatten().filter(move |_| wanted).map(AsFd::as_fd)
    }

    pub(super) fn is_full(&self) -> bool {
        self.log.as_ref().is_some_and(LogWriter::is_full)
    }

    /// Writes down what the container has said.
    pub(super) fn drain(&mut self) {
        if let Some(log) = &mut self.log {
            // A disk that is still full is told of once, when it first was.
            let _ = log.retry();
        }
        for stream in 0..2 {
            self.drain_stream(stream, TURN, Bound::Kept);
        }
    }

    fn drain_stream(&mut self, stream: usize, turns: usize, bound: Bound) {
        let mut buffer = vec![0; CHUNK];
        for _ in 0..turns {
            if bound == Bound::Kept && self.is_full() {
                return;
            }
            let Some(output) = self.outputs[stream].as_mut() else { return };
            match output.read(&mut buffer) {
                Ok(0) => self.outputs[stream] = None,
                Ok(count) => {
                    // A terminal is read even when nobody keeps what it says, or its programs would wait.
                    let Some(log) = &mut self.log else { continue };
                    if let Err(error) = log.take(stream, &buffer[..count]) {
                        eprintln!("cannot write the log of {} yet: {error}", self.spec.name);
                        if bound == Bound::Kept {
                            return;
                        }
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.outputs[stream] = None,
            }
        }
    }

    /// Notes the end of the first process, with which the kernel ends all others, or else this does.
    pub(super) fn ended(&mut self, code: i32) {
        if self.shares_processes {
            cgroup::kill(&self.group);
        }
        for stream in 0..2 {
            // What is in the pipe now is all there will be, so it is taken even when the log is full.
            self.drain_stream(stream, usize::MAX, Bound::Ignored);
            self.outputs[stream] = None;
        }
        if let Some(log) = &mut self.log
            && let Err(error) = log.end()
        {
            eprintln!("cannot end the log of {}: {error}", self.spec.name);
        }
        let out_of_memory = cgroup::memory_kills(&self.group) > self.kills_before;
        self.phase = Phase::Exited { code: Some(code), out_of_memory, at_ms: now_ms() };
        self.unmount();
    }

    pub(super) fn unmount(&mut self) {
        rootfs::unmount(&self.root);
    }
}

/// The input of a container, and its other end when it stays open.
fn input(spec: &ContainerSpec) -> Result<(OwnedFd, Option<OwnedFd>), String> {
    if !spec.interactive || spec.terminal {
        return Ok((OwnedFd::from(null()?), None));
    }
    let (read, write) = pipe2(OFlag::O_CLOEXEC).map_err(|error| format!("make a pipe: {error}"))?;
    Ok((read, Some(write)))
}

/// What starts a program, and tells through `report` when it cannot.
fn executor(spec: &ContainerSpec, init: bool, report: &OwnedFd) -> Result<ShimExecutor, String> {
    let capabilities = oci::capabilities(spec);
    let filters = seccomp::compile(&capabilities, !cgroup::guards_devices())
        .map_err(|error| format!("compile the seccomp filter: {error}"))?;
    Ok(ShimExecutor { capabilities, filters, init, report: report.as_raw_fd() })
}

/// A pipe whose reading end does not block.
pub(super) fn output_pipe() -> Result<(File, OwnedFd), String> {
    let failed = |error: nix::errno::Errno| format!("make a pipe: {error}");
    let (read, write) = pipe2(OFlag::O_CLOEXEC).map_err(failed)?;
    nix::fcntl::fcntl(&read, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(failed)?;
    Ok((File::from(read), write))
}

pub(super) fn null() -> Result<File, String> {
    File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map_err(|error| format!("open /dev/null: {error}"))
}

/// 64 hexadecimal digits, the same for the same container of the same sandbox.
fn container_id(sandbox: &SandboxSpec, name: &str) -> String {
    use std::fmt::Write;
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut id = String::with_capacity(64);
    for part in 0..4u8 {
        let mut hasher = DefaultHasher::new();
        (part, &sandbox.id, name).hash(&mut hasher);
        // Writing to a String cannot fail.
        let _ = write!(id, "{:016x}", hasher.finish());
    }
    id
}

/// An error with everything that led to it.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        source = error.source();
    }
    text
}
