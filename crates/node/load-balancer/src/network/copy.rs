//! Bytes from one connection to another and back.

use crate::clock::Clock;
use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};
use tokio::time::sleep;

/// Bytes that are under way at most, in each direction.
const BUFFER: usize = 16 * 1024;

/// How many bytes were copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Copied {
    /// To the client.
    pub(crate) sent: u64,
    /// From the client.
    pub(crate) received: u64,
}

/// Copies until both sides have ended, one breaks off, or nothing has come from either for `idle`.
pub(crate) async fn copy<A, B>(client: A, target: B, idle: Duration, clock: &Clock) -> Copied
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let last = Rc::new(Cell::new(clock.millis()));
    let mut client = Watched::new(client, &last, clock);
    let mut target = Watched::new(target, &last, clock);
    let (received, sent) = (client.read.clone(), target.read.clone());
    let quiet = async {
        let idle = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
        loop {
            let left = idle.saturating_sub(clock.millis().saturating_sub(last.get()));
            if left == 0 {
                return;
            }
            sleep(Duration::from_millis(left)).await;
        }
    };
    tokio::select! {
        // How it ended is of no matter: both sides are closed.
        _ = copy_bidirectional_with_sizes(&mut client, &mut target, BUFFER, BUFFER) => {}
        () = quiet => {}
    }
    Copied { sent: sent.get(), received: received.get() }
}

struct Watched<S> {
    inner: S,
    last: Rc<Cell<u64>>,
    read: Rc<Cell<u64>>,
    clock: Clock,
}

impl<S> Watched<S> {
    fn new(inner: S, last: &Rc<Cell<u64>>, clock: &Clock) -> Self {
        Self { inner, last: last.clone(), read: Rc::default(), clock: clock.clone() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        self.last.set(self.clock.millis());
        self.read.set(self.read.get() + (buffer.filled().len() - before) as u64);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, slices)
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
