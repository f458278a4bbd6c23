//! The connection.

use crate::{Files, is_stand_in};
use rustix::fs::sendfile;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// A connection that sends files where [`crate::FileBody`] left stand-ins for them.
///
/// Pages that the kernel has not read yet are read while it sends, which holds up the thread as long as the disk takes for
/// a piece; its reading ahead mostly spares that.
pub struct FileStream {
    socket: TcpStream,
    files: Files,
}

impl FileStream {
    /// Over a socket.
    pub fn new(socket: TcpStream) -> Self {
        Self { socket, files: Files::default() }
    }

    /// What bodies on this connection are made with.
    pub fn files(&self) -> Files {
        self.files.clone()
    }

    /// Sends what stand-ins of `length` bytes stand for, or a part of it.
    fn poll_send(&self, cx: &mut Context<'_>, length: usize) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket.poll_write_ready(cx))?;
            match self.socket.try_io(Interest::WRITABLE, || self.send(length)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    fn send(&self, length: usize) -> io::Result<usize> {
        let mut queue = self.files.0.lock();
        let span = queue.front_mut().ok_or(io::ErrorKind::InvalidData)?;
        let wanted = usize::try_from(span.left).unwrap_or(usize::MAX).min(length);
        let sent = sendfile(&self.socket, &span.file, Some(&mut span.offset), wanted)?;
        if sent == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is shorter than it was"));
        }
        span.left -= sent as u64;
        if span.left == 0 {
            queue.pop_front();
        }
        Ok(sent)
    }
}

impl AsyncRead for FileStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for FileStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if is_stand_in(bytes) {
            return self.poll_send(cx, bytes.len());
        }
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes = slices.iter().take_while(|slice| !is_stand_in(slice)).count();
        // What is before the first stand-in goes first.
        if slices[..bytes].iter().all(|slice| slice.is_empty())
            && let Some(stand_in) = slices.get(bytes)
        {
            return self.poll_send(cx, stand_in.len());
        }
        Pin::new(&mut self.socket).poll_write_vectored(cx, &slices[..bytes])
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
