//! Connections to targets that are kept for the next request, of one worker.
//!
//! A connection that speaks HTTP/1.1 has no task of its own: it is driven by the request that uses it, in the task of the
//! client's connection, so that a request costs no switch between tasks. One that speaks HTTP/2 carries many requests and
//! has a task.

use super::body::ToTarget;
use super::io::TargetStream;
use crate::connect::{ConnectError, Wrapping, connect};
use crate::target::Target;
use crate::worker::OnThisWorker;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use load_balancing::{Protocol, ProtocolVersion, TargetGroup};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::task::spawn_local;
use tokio::time::Instant;

/// Longest time that a connection is kept unused.
const KEEP: Duration = Duration::from_secs(60);
/// Most unused connections that are kept for one target.
const MOST_KEPT: usize = 1024;
/// Most requests at a time on one connection of HTTP/2; with more another one is made.
const MOST_STREAMS: usize = 100;
/// Longest head of an answer.
pub(crate) const MOST_ANSWER_HEAD: usize = 64 * 1024;

/// A connection that speaks HTTP/1.1.
pub(crate) struct Http1 {
    pub(crate) sender: http1::SendRequest<ToTarget>,
    connection: http1::Connection<TokioIo<TargetStream>, ToTarget>,
    ended: bool,
    kept_at: Option<Instant>,
}

impl Http1 {
    /// Lets it read and write; says whether it has ended.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        // How it ended is told by the request, too.
        self.ended = self.ended || Pin::new(&mut self.connection).poll(cx).is_ready();
        self.ended
    }

    /// How long it was kept unused.
    pub(crate) fn was_kept(&self) -> Option<Duration> {
        self.kept_at.map(|at| at.elapsed())
    }

    fn is_usable(&mut self) -> bool {
        // Whoever drove it last need not be woken by it any more.
        let mut nobody = Context::from_waker(Waker::noop());
        !self.drive(&mut nobody) && matches!(self.sender.poll_ready(&mut nobody), Poll::Ready(Ok(())))
    }
}

/// A connection that speaks HTTP/2.
struct Http2 {
    sender: http2::SendRequest<ToTarget>,
    streams: Rc<Cell<usize>>,
    used_at: Instant,
}

/// A share of a connection that speaks HTTP/2, for one request.
pub(crate) struct Stream {
    pub(crate) sender: http2::SendRequest<ToTarget>,
    streams: Rc<Cell<usize>>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.streams.set(self.streams.get() - 1);
    }
}

/// The connections of a worker to all targets.
#[derive(Default)]
pub(crate) struct Pool {
    targets: RefCell<HashMap<u64, Kept>>,
}

struct Kept {
    target: Arc<Target>,
    #[expect(clippy::vec_box, reason = "they are moved at each request, and large")]
    http1: Vec<Box<Http1>>,
    http2: Vec<Http2>,
    /// Held by who makes a connection of HTTP/2, so that those who come at the same time share it.
    making: Rc<tokio::sync::Mutex<()>>,
}

impl Kept {
    fn new(target: &Arc<Target>) -> Self {
        Self { target: target.clone(), http1: Vec::new(), http2: Vec::new(), making: Rc::default() }
    }
}

impl Pool {
    /// A connection that is there, or a new one.
    pub(crate) async fn http1(
        &self,
        target: &Arc<Target>,
        group: &TargetGroup,
    ) -> Result<Box<Http1>, ConnectError> {
        loop {
            let kept = self.targets.borrow_mut().get_mut(&target.key).and_then(|kept| kept.http1.pop());
            let Some(mut connection) = kept else { return new_http1(target, wrapping(group)).await };
            if connection.is_usable() {
                return Ok(connection);
            }
        }
    }

    /// A new connection, whatever is there.
    pub(crate) async fn new_http1(
        &self,
        target: &Arc<Target>,
        group: &TargetGroup,
    ) -> Result<Box<Http1>, ConnectError> {
        new_http1(target, wrapping(group)).await
    }

    /// Keeps a connection whose request is over, if it can carry another one.
    pub(crate) fn keep(&self, target: &Arc<Target>, mut connection: Box<Http1>) {
        if target.is_retired() || !connection.is_usable() {
            return;
        }
        connection.kept_at = Some(Instant::now());
        let mut targets = self.targets.borrow_mut();
        let kept = targets.entry(target.key).or_insert_with(|| Kept::new(target));
        if kept.http1.len() < MOST_KEPT {
            kept.http1.push(connection);
        }
    }

    /// A share of a connection that is there, or of a new one.
    pub(crate) async fn http2(
        &self,
        target: &Arc<Target>,
        group: &TargetGroup,
    ) -> Result<Stream, ConnectError> {
        if let Some(stream) = self.shared(target) {
            return Ok(stream);
        }
        let making = {
            let mut targets = self.targets.borrow_mut();
            targets.entry(target.key).or_insert_with(|| Kept::new(target)).making.clone()
        };
        let _making = making.lock().await;
        if let Some(stream) = self.shared(target) {
            return Ok(stream);
        }
        let sender = new_http2(target, wrapping(group)).await?;
        let streams = Rc::new(Cell::new(1));
        let mut targets = self.targets.borrow_mut();
        let kept = targets.entry(target.key).or_insert_with(|| Kept::new(target));
        kept.http2.push(Http2 { sender: sender.clone(), streams: streams.clone(), used_at: Instant::now() });
        Ok(Stream { sender, streams })
    }

    fn shared(&self, target: &Arc<Target>) -> Option<Stream> {
        let mut targets = self.targets.borrow_mut();
        let kept = targets.get_mut(&target.key)?;
        kept.http2.retain(|connection| !connection.sender.is_closed());
        let free = kept.http2.iter_mut().find(|connection| connection.streams.get() < MOST_STREAMS)?;
        free.used_at = Instant::now();
        free.streams.set(free.streams.get() + 1);
        Some(Stream { sender: free.sender.clone(), streams: free.streams.clone() })
    }

    /// Closes connections that have ended, that were unused for long, or whose targets are going.
    pub(crate) fn tidy(&self) {
        self.targets.borrow_mut().retain(|_, kept| {
            let retired = kept.target.is_retired();
            kept.http1.retain_mut(|connection| {
                let old = connection.was_kept().is_none_or(|kept| kept > KEEP);
                !retired && !old && connection.is_usable()
            });
            kept.http2.retain(|connection| {
                let unused =
                    connection.streams.get() == 0 && (retired || connection.used_at.elapsed() > KEEP);
                !connection.sender.is_closed() && !unused
            });
            !kept.http1.is_empty() || !kept.http2.is_empty() || Rc::strong_count(&kept.making) > 1
        });
    }
}

fn wrapping(group: &TargetGroup) -> Wrapping {
    match (group.protocol, group.protocol_version) {
        (Protocol::Https, ProtocolVersion::Http1) => Wrapping::Http1Tls,
        (Protocol::Https, ProtocolVersion::Http2 | ProtocolVersion::Grpc) => Wrapping::Http2Tls,
        _ => Wrapping::Plain,
    }
}

async fn new_http1(target: &Arc<Target>, wrapping: Wrapping) -> Result<Box<Http1>, ConnectError> {
    let stream = connect(target, wrapping).await?;
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(MOST_ANSWER_HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| ConnectError::Failed(std::io::Error::other(error)))?;
    let mut new = Box::new(Http1 { sender, connection, ended: false, kept_at: None });
    // Only a connection that was driven once takes a request.
    if new.is_usable() {
        Ok(new)
    } else {
        Err(ConnectError::Failed(std::io::ErrorKind::ConnectionReset.into()))
    }
}

/// A connection for a websocket: with a task of its own, for it lives on after its one request.
pub(crate) async fn upgradeable(
    target: &Arc<Target>,
    group: &TargetGroup,
) -> Result<http1::SendRequest<ToTarget>, ConnectError> {
    let stream = connect(target, wrapping(group)).await?;
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(MOST_ANSWER_HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| ConnectError::Failed(std::io::Error::other(error)))?;
    spawn_local(connection.with_upgrades());
    Ok(sender)
}

async fn new_http2(
    target: &Arc<Target>,
    wrapping: Wrapping,
) -> Result<http2::SendRequest<ToTarget>, ConnectError> {
    let stream = connect(target, wrapping).await?;
    let (sender, connection) = http2::Builder::new(OnThisWorker)
        .timer(TokioTimer::new())
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .max_header_list_size(MOST_ANSWER_HEAD as u32)
        .keep_alive_interval(Duration::from_secs(30))
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| ConnectError::Failed(std::io::Error::other(error)))?;
    spawn_local(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to a target has ended");
        }
    });
    Ok(sender)
}
