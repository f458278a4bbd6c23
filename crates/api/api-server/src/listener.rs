//! Accepts connections and serves HTTP on them, within bounds, until told to stop.

use crate::{ApiServer, Limits};
use file_body::FileStream;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// Pause after a failed accept, as when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the listener cannot start.
#[derive(Debug, thiserror::Error)]
#[error("listen on {address}")]
pub struct ListenerError {
    address: SocketAddr,
    source: std::io::Error,
}

/// A bound address that is not served yet, so that what is served can know its port.
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

/// A server at work.
pub struct Running {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Binds the address; port 0 takes any free one.
    pub async fn bind(address: SocketAddr) -> Result<Self, ListenerError> {
        let failed = |source| ListenerError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until [`Running::stop`].
    pub fn serve(self, server: ApiServer) -> Running {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(self.listener, server, stopped));
        Running { address: self.address, stop, task }
    }
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, lets requests in flight finish within a deadline, and returns.
    pub async fn stop(self) {
        // The task is gone already when nobody listens.
        let _ = self.stop.send(true);
        if self.task.await.is_err() {
            tracing::error!("the listener ended badly");
        }
    }
}

async fn accept(listener: TcpListener, server: ApiServer, mut stopped: watch::Receiver<bool>) {
    let graceful = GracefulShutdown::new();
    let limits = *server.limits();
    let places = Arc::new(Semaphore::new(limits.connections));
    let builder = protocols(&limits);
    loop {
        let accepted = tokio::select! {
            accepted = next(&listener, &places) => accepted,
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        let Some((stream, peer, place)) = accepted else { continue };
        let spoken = Arc::new(AtomicBool::new(false));
        let (server, has_spoken) = (server.clone(), spoken.clone());
        let stream = FileStream::new(stream);
        let files = stream.files();
        let service = service_fn(move |mut request: http::Request<Incoming>| {
            has_spoken.store(true, Ordering::Relaxed);
            if request.version() <= http::Version::HTTP_11 {
                request.extensions_mut().insert(files.clone());
            }
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.handle(request, peer).await) }
        });
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = &mut connection => Some(ended),
                () = silence(&spoken, limits.head_time) => None,
            };
            match ended {
                Some(Err(error)) => tracing::debug!(%peer, %error, "a connection ended early"),
                Some(Ok(())) => {}
                None => tracing::debug!(%peer, "a connection without a request ended"),
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain_time, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still running at the end of the drain time");
    }
}

/// HTTP/1.1 and HTTP/2 without TLS, each within bounds.
fn protocols(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        // Bodies that are files stand on it that their pieces are not copied.
        .writev(true)
        // The least that hyper takes is 8 KiB.
        .max_buf_size(limits.head_bytes.max(8192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(limits.head_time)
        .keep_alive_timeout(limits.head_time);
    builder
}

/// Ends when a connection has not made one request in time. HTTP has timeouts of its own, but they begin only when
/// the first bytes have shown which version a client speaks.
async fn silence(spoken: &AtomicBool, time: Duration) {
    tokio::time::sleep(time).await;
    if spoken.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

type Accepted = (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

async fn next(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<Accepted> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "cannot turn off Nagle's algorithm");
            }
            Some((stream, peer, place))
        }
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}
