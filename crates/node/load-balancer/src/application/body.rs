//! Bodies on their way to targets and back.

use super::pool::{Http1, Stream};
use super::record::Record;
use crate::target::{Outstanding, Target};
use crate::worker::Worker;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use tokio::time::Sleep;

/// How far the body of a request has come.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    pub(crate) bytes: Cell<u64>,
    pub(crate) ended: Cell<bool>,
}

/// The body of a request.
pub(crate) enum ToTarget {
    /// There is none.
    Empty,
    /// It comes from the client.
    Client(Incoming, Rc<Upload>),
}

impl Body for ToTarget {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self::Client(incoming, upload) = &mut *self else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(incoming).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                upload.bytes.set(upload.bytes.get() + length as u64);
            }
            Some(Err(_)) => {}
            None => upload.ended.set(true),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Client(incoming, upload) => {
                let ended = incoming.is_end_stream();
                if ended {
                    upload.ended.set(true);
                }
                ended
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Client(incoming, _) => incoming.size_hint(),
        }
    }
}

/// The body of an answer. What is known of the request is recorded when it is dropped.
pub(crate) enum ToClient {
    /// There is none, and what is known is recorded elsewhere.
    Nothing,
    /// The load balancer's own.
    Own(Bytes, Record),
    /// It comes from a target.
    Target(Box<FromTarget>),
}

/// A body that comes from a target, with the connection that it comes by.
pub(crate) struct FromTarget {
    pub(crate) incoming: Incoming,
    pub(crate) lease: Lease,
    pub(crate) worker: Rc<Worker>,
    pub(crate) target: Arc<Target>,
    /// Ends with the body.
    pub(crate) outstanding: Option<Outstanding>,
    pub(crate) record: Record,
    /// When the time is over that the target has for its whole answer.
    pub(crate) deadline: Option<Pin<Box<Sleep>>>,
}

/// Why a body does not come to its end.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The connection to a target that a request uses.
pub(crate) enum Lease {
    /// It goes back to the pool.
    Http1(Box<Http1>),
    /// A share of one.
    Http2 {
        /// Ends with the request.
        _stream: Stream,
    },
    /// It has a task, and ends with the request.
    Driven,
    /// It is back.
    Ended,
}

impl FromTarget {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let late = self.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready());
        if late {
            // The status has gone; only breaking off tells the client.
            self.record.broken();
            self.lease = Lease::Ended;
            self.deadline = None;
            return Poll::Ready(Some(Err("the target did not answer in time".into())));
        }
        let frame = match &mut self.lease {
            Lease::Http1(connection) => {
                // Only driving the connection brings frames: nobody needs to be woken for them. Asking for one first lets it
                // read on.
                let mut nobody = Context::from_waker(Waker::noop());
                let mut frame = Pin::new(&mut self.incoming).poll_frame(&mut nobody);
                if frame.is_pending() {
                    connection.drive(cx);
                    frame = Pin::new(&mut self.incoming).poll_frame(&mut nobody);
                }
                ready!(frame)
            }
            _ => ready!(Pin::new(&mut self.incoming).poll_frame(cx)),
        };
        match &frame {
            Some(Ok(frame)) => {
                self.record.sent(frame.data_ref().map_or(0, Bytes::len));
                if let Some(trailers) = frame.trailers_ref() {
                    self.record.trailers(trailers);
                }
                if self.incoming.is_end_stream() {
                    self.end();
                }
            }
            Some(Err(_)) => {
                self.record.broken();
                self.lease = Lease::Ended;
            }
            None => self.end(),
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn end(&mut self) {
        if let Lease::Http1(connection) = std::mem::replace(&mut self.lease, Lease::Ended) {
            self.worker.pool.keep(&self.target, connection);
        }
        self.outstanding = None;
        self.deadline = None;
        self.record.complete();
    }
}

impl Body for ToClient {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Nothing => Poll::Ready(None),
            Self::Own(bytes, record) => {
                record.complete();
                if bytes.is_empty() {
                    return Poll::Ready(None);
                }
                record.sent(bytes.len());
                Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes)))))
            }
            Self::Target(body) => body.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Own(bytes, _) => bytes.is_empty(),
            Self::Target(body) => body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Nothing => SizeHint::with_exact(0),
            Self::Own(bytes, _) => SizeHint::with_exact(bytes.len() as u64),
            Self::Target(body) => body.incoming.size_hint(),
        }
    }
}

impl FromTarget {
    /// Gives the connection back at once when there is no body.
    pub(crate) fn end_if_empty(&mut self) {
        if self.incoming.is_end_stream() {
            self.end();
        }
    }
}
