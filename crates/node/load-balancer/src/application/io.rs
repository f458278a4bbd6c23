//! Connections of clients and to targets, as bytes.

use crate::clock::Clock;
use crate::target::Remembered;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// What a client's connection has carried, and when it last did.
#[derive(Debug)]
pub(crate) struct Activity {
    clock: Clock,
    /// In milliseconds of the clock.
    last: AtomicU64,
    /// No request is in progress: what comes is the head of one.
    between_requests: AtomicBool,
    /// When the head that comes began to, or 0.
    head_since: AtomicU64,
    /// The head that comes says its length in two ways.
    ambiguous: AtomicBool,
}

impl Activity {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            last: AtomicU64::new(clock.millis()),
            clock,
            between_requests: AtomicBool::new(true),
            head_since: AtomicU64::new(0),
            ambiguous: AtomicBool::new(false),
        }
    }

    /// When a byte last came or went, in milliseconds of the clock.
    pub(crate) fn last(&self) -> u64 {
        self.last.load(Relaxed)
    }

    /// What comes from now on belongs to a request, or does not yet.
    pub(crate) fn between_requests(&self, between: bool) {
        self.between_requests.store(between, Relaxed);
        self.head_since.store(0, Relaxed);
    }

    /// When the head that comes began to, in milliseconds of the clock.
    pub(crate) fn head_since(&self) -> Option<u64> {
        Some(self.head_since.load(Relaxed)).filter(|since| *since > 0)
    }

    /// Whether the request whose head has come says its length in two ways.
    pub(crate) fn is_ambiguous(&self) -> bool {
        self.ambiguous.load(Relaxed)
    }

    fn touch(&self) {
        self.last.store(self.clock.millis(), Relaxed);
    }
}

/// Longest head of a request that is looked through.
const MOST_HEAD: usize = 64 * 1024;

/// A client's connection.
///
/// Of requests with both `Content-Length` and `Transfer-Encoding` hyper believes the latter and takes the former away, which
/// is safe, but hides it: so heads are looked at here.
pub(crate) struct Monitored<S> {
    inner: S,
    activity: Arc<Activity>,
    /// The head so far, when it did not come at once.
    partial: Vec<u8>,
}

impl<S> Monitored<S> {
    pub(crate) fn new(inner: S, activity: Arc<Activity>) -> Self {
        Self { inner, activity, partial: Vec::new() }
    }

    fn look_at(&mut self, bytes: &[u8]) {
        if self.partial.is_empty() && ends_head(bytes) {
            self.activity.ambiguous.store(says_length_twice(bytes), Relaxed);
            return;
        }
        if self.partial.len() + bytes.len() > MOST_HEAD {
            // Too long for a head; it will be refused.
            self.partial = Vec::new();
            return;
        }
        self.partial.extend_from_slice(bytes);
        self.activity.ambiguous.store(says_length_twice(&self.partial), Relaxed);
        if ends_head(&self.partial) {
            self.partial = Vec::new();
        }
    }
}

/// Whether the end of a head is in what came.
fn ends_head(bytes: &[u8]) -> bool {
    bytes.ends_with(b"\r\n\r\n") || bytes.windows(4).any(|window| window == b"\r\n\r\n")
}

/// Whether a head has both headers, or one of them folded into something else that could be read as it.
fn says_length_twice(bytes: &[u8]) -> bool {
    let (mut length, mut encoding) = (false, false);
    for line in bytes.split(|byte| *byte == b'\n').skip(1) {
        match line.first() {
            Some(b'c' | b'C') => length |= starts_with(line, b"content-length"),
            Some(b't' | b'T') => encoding |= starts_with(line, b"transfer-encoding"),
            None | Some(b'\r') => break,
            _ => {}
        }
    }
    length && encoding
}

fn starts_with(line: &[u8], name: &[u8]) -> bool {
    line.len() > name.len() && line[..name.len()].eq_ignore_ascii_case(name)
}

impl<S: AsyncRead + Unpin> AsyncRead for Monitored<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        let read = buffer.filled().len() - before;
        if read > 0 {
            self.activity.touch();
            if self.activity.between_requests.load(Relaxed) {
                if self.activity.head_since.load(Relaxed) == 0 {
                    self.activity.head_since.store(self.activity.clock.millis().max(1), Relaxed);
                }
                self.look_at(&buffer.filled()[before..]);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Monitored<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes))?;
        self.activity.touch();
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, slices))?;
        self.activity.touch();
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// A connection to a target, which knows it and can cut it.
pub(crate) struct TargetStream {
    inner: Inner,
    /// Checks are not remembered.
    _remembered: Option<Remembered>,
}

enum Inner {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl TargetStream {
    pub(crate) fn plain(stream: TcpStream, remembered: Option<Remembered>) -> Self {
        Self { inner: Inner::Plain(stream), _remembered: remembered }
    }

    pub(crate) fn tls(stream: TlsStream<TcpStream>, remembered: Option<Remembered>) -> Self {
        Self { inner: Inner::Tls(Box::new(stream)), _remembered: remembered }
    }
}

impl AsyncRead for TargetStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Inner::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for TargetStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.inner {
            Inner::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Inner::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.inner {
            Inner::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Inner::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.inner {
            Inner::Plain(stream) => stream.is_write_vectored(),
            Inner::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Inner::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Inner::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lengths_are_seen() {
        for (head, twice) in [
            ("POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", true),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\nhost: a\r\nCONTENT-LENGTH: 1\r\n\r\n", true),
            ("POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nTransfer-Encoding: chunked\r\n", false),
            ("POST / HTTP/1.1\r\nContent-Length: 1\r\nX-Transfer-Encoding: chunked\r\n\r\n", false),
            ("POST / HTTP/1.1\nContent-Length: 1\nTransfer-Encoding: chunked\n\n", true),
            ("", false),
        ] {
            assert_eq!(says_length_twice(head.as_bytes()), twice, "{head}");
        }
    }

    #[tokio::test]
    async fn a_head_in_pieces_is_looked_at_as_a_whole() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut client, server) = tokio::io::duplex(1024);
        let activity = Arc::new(Activity::new(Clock::standing_still()));
        let mut server = Monitored::new(server, activity.clone());
        let mut buffer = [0; 1024];
        for piece in ["POST / HTTP/1.1\r\nContent-Le", "ngth: 1\r\nTransfer-Encoding", ": chunked\r\n\r\n"] {
            assert!(!activity.is_ambiguous() || piece.starts_with(':'));
            client.write_all(piece.as_bytes()).await.expect("writes");
            let _ = server.read(&mut buffer).await.expect("reads");
        }
        assert!(activity.is_ambiguous());
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("writes");
        let _ = server.read(&mut buffer).await.expect("reads");
        assert!(!activity.is_ambiguous());
    }
}
