//! What a task is told at 169.254.170.2: the credentials of its role and its metadata, versions 3 and 4; and what it may
//! ask for itself there.
//!
//! Each task has a listener of its own, reached from its network namespace alone, so a request needs no more to show
//! whose it is. Answers have the shapes of the published agent. Connections are few, heads small, and both end in time;
//! a task that wastes them has only itself to keep waiting.

mod answer;
mod faults;
mod metadata;
mod protection;
mod stats;
#[cfg(test)]
mod tests;

use crate::api::Api;
use crate::engine::Engine;
use crate::roles::TaskRoles;
use crate::task::definition::TaskDefinition;
use crate::task::record::TaskRecord;
use environment::Environment;
pub(crate) use faults::FaultRequests;
use http_body_util::{BodyExt, Limited};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use stats::Samples;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

/// Connections of a task at a time; more wait to be accepted.
const MOST_CONNECTIONS: usize = 16;
/// Largest head of a request, the least that the HTTP library takes.
const MOST_HEAD_BYTES: usize = 8 * 1024;
/// Largest body of a request.
const MOST_BODY_BYTES: usize = 4 * 1024;
/// Time for the head of a request, and for silence between two.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// Life of a connection.
const CONNECTION_TIME: Duration = Duration::from_secs(60);
/// Pause when no connection can be accepted, which is mostly for want of descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// What the endpoint of a task tells from.
pub(crate) struct Endpoint {
    pub(crate) task: Arc<TaskDefinition>,
    pub(crate) record: watch::Receiver<Arc<TaskRecord>>,
    pub(crate) roles: Arc<TaskRoles>,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) api: Arc<Api>,
    pub(crate) environment: Environment,
    pub(crate) samples: Mutex<Samples>,
    pub(crate) faults: FaultRequests,
}

/// An open endpoint; closed when dropped, its connections with it.
pub(crate) struct Serving(JoinHandle<()>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Answers at a listener until the result is dropped.
pub(crate) fn serve(endpoint: Endpoint, listener: std::net::TcpListener) -> io::Result<Serving> {
    let listener = TcpListener::from_std(listener)?;
    Ok(Serving(tokio::spawn(accept(Arc::new(endpoint), listener))))
}

async fn accept(endpoint: Arc<Endpoint>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    // Dropped with this function, and the connections with it.
    let mut connections = JoinSet::new();
    loop {
        let place = tokio::select! {
            place = places.clone().acquire_owned() => place,
            Some(_) = connections.join_next() => continue,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let (Ok(place), Ok((stream, _))) = (place, accepted) else {
            endpoint.environment.sleep(PAUSE).await;
            continue;
        };
        let endpoint = endpoint.clone();
        connections.spawn(async move {
            tokio::select! {
                () = converse(&endpoint, stream) => {}
                () = endpoint.environment.sleep(CONNECTION_TIME) => {}
            }
            drop(place);
        });
    }
}

async fn converse(endpoint: &Arc<Endpoint>, stream: TcpStream) {
    let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
        let endpoint = endpoint.clone();
        async move {
            if !request.uri().path().starts_with("/api/") {
                // A body is left unread: no request here has one.
                return Ok::<_, Infallible>(endpoint.answer(&request).await);
            }
            let (parts, body) = request.into_parts();
            let body = Limited::new(body, MOST_BODY_BYTES).collect().await;
            // What is too long cannot be read, as what is cut off.
            let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            Ok(endpoint.api(&parts.method, parts.uri.path(), &body).await)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Small clients close their side when they have asked.
        .half_close(true)
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(MOST_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(task = endpoint.task.id, %error, "a connection to the endpoint of a task broke off");
    }
}
