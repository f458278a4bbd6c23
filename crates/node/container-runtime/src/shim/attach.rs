//! Commands that somebody talks to: their terminal, or their pipes, go to whoever asked, as open files. So nothing that
//! they say goes through this process.

use super::container::{Container, output_pipe};
use super::exec::{Streams, launch};
use super::serve::answer;
use crate::protocol::{ExecResult, Reply};
use crate::spec::AttachSpec;
use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, pipe2};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use rustix::pty::OpenptFlags;
use std::fs;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// Most of a sandbox at a time.
pub(super) const MOST: usize = 64;
/// How `libcontainer` names its links to the socket for a terminal.
const LINK_PREFIX: &str = "tenant-tty";

/// A command whose streams are with somebody else.
pub(super) struct Attached {
    pid: i32,
    code: Option<i32>,
    stream: UnixStream,
    /// The asker is gone, or was never told.
    left: bool,
}

/// Starts a command; answers its process and the other ends of its streams.
pub(super) fn start(
    folder: &Path,
    container: &Container,
    attach: &AttachSpec,
) -> Result<(i32, Vec<OwnedFd>), String> {
    let mut process = container.process(&attach.argv);
    if let Some(env) = process["env"].as_array_mut() {
        for pair in &attach.env {
            let name = pair.split('=').next().unwrap_or_default();
            let has = |own: &serde_json::Value| {
                own.as_str().and_then(|own| own.split('=').next()).is_some_and(|own| own == name)
            };
            if !env.iter().any(has) {
                env.push(pair.clone().into());
            }
        }
    }
    if attach.terminal {
        process["terminal"] = true.into();
        return with_terminal(folder, container, attach, process);
    }
    let failed = |error: nix::errno::Errno| format!("make a pipe: {error}");
    let (input, own_input) = pipe2(OFlag::O_CLOEXEC).map_err(failed)?;
    let (own_output, output) = output_pipe()?;
    let (own_error, error) = output_pipe()?;
    let streams = Streams::Pipes { input, output, error };
    let pid = launch(folder, container, &attach.argv, process, streams)?;
    Ok((pid, vec![own_input, own_output.into(), own_error.into()]))
}

fn with_terminal(
    folder: &Path,
    container: &Container,
    attach: &AttachSpec,
    process: serde_json::Value,
) -> Result<(i32, Vec<OwnedFd>), String> {
    let path = folder.join("c");
    let failed = |error: io::Error| format!("make a terminal: {error}");
    // One that a failed start has left is in the way.
    let _ = fs::remove_file(&path);
    let listener = UnixListener::bind(&path).map_err(failed)?;
    let started = launch(folder, container, &attach.argv, process, Streams::Terminal(&path));
    let _ = fs::remove_file(&path);
    remove_links(&folder.join("oci").join(container.name()));
    let pid = started?;
    // The command runs, so its terminal was sent before.
    let terminal =
        listener.set_nonblocking(true).and_then(|()| listener.accept()).and_then(|(from, _)| receive(&from));
    let terminal = terminal.and_then(|terminal| {
        let peer = rustix::pty::ioctl_tiocgptpeer(
            &terminal,
            OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC,
        )?;
        nix::unistd::fchown(&peer, Some(container.user_id().into()), None)?;
        Ok(terminal)
    });
    match terminal {
        Ok(terminal) => Ok((pid, vec![terminal])),
        Err(error) => {
            // Not collected yet, so the number is still its own.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            Err(failed(error))
        }
    }
}

fn remove_links(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(LINK_PREFIX.as_bytes()) {
            // It goes with the sandbox at the latest.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn receive(stream: &UnixStream) -> io::Result<OwnedFd> {
    stream.set_nonblocking(true)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut buffer = [0; 64];
    rustix::net::recvmsg(stream, &mut [IoSliceMut::new(&mut buffer)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let file = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    file.ok_or_else(|| io::Error::other("no terminal came"))
}

fn send(stream: &UnixStream, streams: &[OwnedFd]) -> io::Result<()> {
    let mut line = serde_json::to_vec(&Reply::Attached)?;
    line.push(b'\n');
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let files: Vec<BorrowedFd<'_>> = streams.iter().map(AsFd::as_fd).collect();
    if !control.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::Error::other("no room for files beside the answer"));
    }
    let sent = rustix::net::sendmsg(stream, &[IoSlice::new(&line)], &mut control, SendFlags::NOSIGNAL)?;
    // It is the first on its connection and far smaller than the socket's buffer.
    if sent == line.len() { Ok(()) } else { Err(ErrorKind::WriteZero.into()) }
}

impl Attached {
    /// Hands the streams over.
    pub(super) fn new(pid: i32, stream: UnixStream, streams: &[OwnedFd]) -> Self {
        let mut attached = Self { pid, code: None, left: false, stream };
        if send(&attached.stream, streams).is_err() {
            attached.leave();
        }
        attached
    }

    pub(super) fn connection(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    pub(super) fn ended(&mut self, pid: i32, code: i32) {
        if pid == self.pid {
            self.code = Some(code);
        }
    }

    /// Looks whether the asker is still there, and tells of the end. False when there is nothing more to do.
    pub(super) fn step(&mut self) -> bool {
        if let Some(code) = self.code {
            let result = ExecResult { code: Some(code), output: String::new() };
            // Whoever asked may have gone.
            let _ = answer(&mut self.stream, &Reply::Executed(result));
            return false;
        }
        match self.stream.read(&mut [0; 64]) {
            Ok(0) => self.leave(),
            // Nothing is to be said on this connection; what is said is not heard.
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.leave(),
        }
        !self.left
    }

    /// The end of the process is collected as that of any orphan.
    fn leave(&mut self) {
        self.left = true;
        // Not collected yet, so the number is still its own.
        let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
    }
}
