//! Commands run in a container: how they are started, and those such as health checks, whose end is all that counts.

use super::container::{Container, chain, null, output_pipe};
use super::memory_file;
use crate::failure;
use crate::protocol::ExecResult;
use crate::spec::ExecSpec;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, pipe2};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// Bytes of output that are kept, as much as Docker keeps of a health check.
const MOST_OUTPUT: usize = 4096;

/// What a command reads and writes.
pub(super) enum Streams<'a> {
    /// The ends of pipes, or a device.
    Pipes { input: OwnedFd, output: OwnedFd, error: OwnedFd },
    /// A new terminal of the container, whose other end comes to the socket at this path.
    Terminal(&'a Path),
}

/// Starts a command in a container and answers its process, as the host numbers it.
pub(super) fn launch(
    folder: &Path,
    container: &Container,
    argv: &[String],
    process: serde_json::Value,
    streams: Streams<'_>,
) -> Result<i32, String> {
    let program = argv.first().ok_or("no command specified")?;
    if let Some(text) = container.missing_program(program) {
        return Err(text);
    }
    let path = folder.join(format!("process-{}.json", container.name()));
    let _process_file = memory_file::at(&path, &process.to_string())
        .map_err(|error| format!("write the process: {error}"))?;
    let (report, end) = pipe2(OFlag::O_CLOEXEC).map_err(|error| format!("make a pipe: {error}"))?;
    let builder = ContainerBuilder::new(container.name().to_owned(), SyscallType::default())
        .with_executor(container.executor(&end)?)
        .with_root_path(folder.join("oci"))
        .map_err(|error| chain(&error))?;
    let builder = match streams {
        Streams::Pipes { input, output, error } => {
            builder.with_stdin(input).with_stdout(output).with_stderr(error)
        }
        Streams::Terminal(socket) => builder.with_console_socket(Some(socket)),
    };
    let pid = builder
        .as_tenant()
        .with_process(Some(&path))
        .with_detach(true)
        .build()
        .map_err(|error| chain(&error))?;
    drop(end);
    match failure::wait(report)? {
        Some(failure) => Err(container.explain(&failure, program)),
        None => Ok(pid.as_raw()),
    }
}

/// A command that runs.
pub(super) struct Running {
    pid: i32,
    code: Option<i32>,
    output: Option<File>,
    kept: Vec<u8>,
    deadline: Instant,
    timed_out: bool,
}

impl Running {
    pub(super) fn start(folder: &Path, container: &Container, exec: &ExecSpec) -> Result<Self, String> {
        let (read, write) = output_pipe()?;
        let second = write.try_clone().map_err(|error| format!("copy a pipe: {error}"))?;
        let streams = Streams::Pipes { input: OwnedFd::from(null()?), output: write, error: second };
        let pid = launch(folder, container, &exec.argv, container.process(&exec.argv), streams)?;
        Ok(Self {
            pid,
            code: None,
            output: Some(read),
            kept: Vec::new(),
            deadline: Instant::now() + Duration::from_millis(exec.timeout_ms),
            timed_out: false,
        })
    }

    pub(super) fn output(&self) -> Option<BorrowedFd<'_>> {
        self.output.as_ref().map(AsFd::as_fd)
    }

    pub(super) fn ended(&mut self, pid: i32, code: i32) {
        if pid == self.pid {
            self.code = Some(code);
        }
    }

    /// Reads output, minds the time, and returns the result once the command has ended.
    pub(super) fn step(&mut self) -> Option<ExecResult> {
        let mut buffer = [0; 4096];
        while let Some(output) = &mut self.output {
            match output.read(&mut buffer) {
                Ok(0) => self.output = None,
                Ok(count) => {
                    let room = MOST_OUTPUT.saturating_sub(self.kept.len()).min(count);
                    self.kept.extend_from_slice(&buffer[..room]);
                }
                // Nothing there now, or never again; the end of the process tells.
                Err(_) => break,
            }
        }
        if self.code.is_none() && !self.timed_out && Instant::now() >= self.deadline {
            self.timed_out = true;
            // Not collected yet, so the number is still its own.
            let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
        }
        let code = self.code?;
        let output = String::from_utf8_lossy(&self.kept).into_owned();
        Some(ExecResult { code: (!self.timed_out).then_some(code), output })
    }
}
