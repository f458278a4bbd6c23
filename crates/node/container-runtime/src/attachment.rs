//! A command that somebody talks to, from the agent's side.

use crate::error::RuntimeError;
use crate::liveness;
use crate::protocol::{MOST_LINE_BYTES, Reply};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use rustix::termios::Winsize;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, Interest, ReadBuf};
use tokio::net::UnixStream;

/// A command with its streams. Dropping it kills the command.
pub struct Attachment {
    /// What the command reads. Dropping a pipe ends the input; a terminal has no such end.
    pub input: Option<AttachedStream>,
    /// What it says.
    pub output: AttachedStream,
    /// What it says of errors, where it has no terminal.
    pub error: Option<AttachedStream>,
    sandbox: String,
    lock: PathBuf,
    connection: UnixStream,
    line: Vec<u8>,
}

/// A stream of a command; cheap to clone.
#[derive(Clone, Debug)]
pub struct AttachedStream(Arc<AsyncFd<OwnedFd>>);

impl Attachment {
    /// Waits for the answer of a shim.
    pub(crate) async fn begin(
        connection: UnixStream,
        sandbox: &str,
        lock: PathBuf,
    ) -> Result<Self, RuntimeError> {
        let gone = || RuntimeError::ShimGone(sandbox.to_owned());
        let (mut line, mut files) = (Vec::new(), Vec::new());
        while !line.ends_with(b"\n") && line.len() < MOST_LINE_BYTES {
            let mut buffer = [0; 4096];
            let read = connection
                .async_io(Interest::READABLE, || receive(&connection, &mut buffer, &mut files))
                .await;
            match read.map_err(|_| gone())? {
                0 => return Err(gone()),
                count => line.extend_from_slice(&buffer[..count]),
            }
        }
        match serde_json::from_slice(&line) {
            Ok(Reply::Attached) => {}
            Ok(Reply::Failed(text)) => return Err(RuntimeError::Refused(text)),
            Ok(other) => {
                return Err(RuntimeError::Refused(format!(
                    "the shim gave an answer to another question: {other:?}"
                )));
            }
            Err(_) => return Err(gone()),
        }
        let streams = files.into_iter().map(AttachedStream::new).collect::<io::Result<Vec<_>>>();
        let streams = streams.map_err(|error| RuntimeError::Refused(format!("take the streams: {error}")))?;
        let mut streams = streams.into_iter();
        let (input, output, error) = match (streams.next(), streams.next(), streams.next()) {
            (Some(terminal), None, _) => (terminal.clone(), terminal, None),
            (Some(input), Some(output), error) => (input, output, error),
            (None, _, _) => return Err(RuntimeError::Refused("the shim handed no streams over".to_owned())),
        };
        let sandbox = sandbox.to_owned();
        Ok(Self { input: Some(input), output, error, sandbox, lock, connection, line: Vec::new() })
    }

    /// Waits for the end of the command; answers its exit code. Safe to cancel.
    pub async fn ended(&mut self) -> Result<Option<i32>, RuntimeError> {
        let gone = || RuntimeError::ShimGone(self.sandbox.clone());
        while !self.line.ends_with(b"\n") {
            let mut buffer = [0; 256];
            let read = tokio::select! {
                biased;
                read = self.connection.read(&mut buffer) => read,
                () = liveness::death(&self.lock) => return Err(gone()),
            };
            match read {
                Ok(0) | Err(_) => return Err(gone()),
                Ok(count) => self.line.extend_from_slice(&buffer[..count]),
            }
        }
        match serde_json::from_slice(&self.line) {
            Ok(Reply::Executed(result)) => Ok(result.code),
            Ok(_) | Err(_) => Err(gone()),
        }
    }
}

impl AttachedStream {
    #[expect(unsafe_code, reason = "waiting for a descriptor has no safe form")]
    fn new(file: OwnedFd) -> io::Result<Self> {
        let flags = rustix::fs::fcntl_getfl(&file)?;
        rustix::fs::fcntl_setfl(&file, flags | rustix::fs::OFlags::NONBLOCK)?;
        // SAFETY: an `OwnedFd` has its descriptor alone, and for as long as it lives.
        let registered = unsafe { AsyncFd::register(file) }?;
        Ok(Self(Arc::new(registered)))
    }

    /// Sets the size of a terminal, which its foreground programs are told of.
    pub fn resize(&self, columns: u16, rows: u16) -> io::Result<()> {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(rustix::termios::tcsetwinsize(self.0.get_ref(), size)?)
    }
}

impl AsyncRead for AttachedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(context))?;
            let unfilled = buffer.initialize_unfilled();
            match guard.try_io(|file| Ok(rustix::io::read(file.get_ref(), &mut *unfilled)?)) {
                Ok(Ok(count)) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                // So a terminal says that nobody has its other end any more.
                Ok(Err(error)) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => {
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for AttachedStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(context))?;
            match guard.try_io(|file| Ok(rustix::io::write(file.get_ref(), bytes)?)) {
                Ok(written) => return Poll::Ready(written),
                Err(_would_block) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn receive(stream: &UnixStream, buffer: &mut [u8], files: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received =
        rustix::net::recvmsg(stream, &mut [IoSliceMut::new(buffer)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(came) = message {
            files.extend(came);
        }
    }
    Ok(received.bytes)
}
