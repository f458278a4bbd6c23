//! Blobs for a host on this machine, by reference: it gets the blob's open file instead of the bytes.
//!
//! What is asked goes through the same pipeline as a `GET` of the blob by HTTP: who asks, may they, has the repository the
//! blob, and the record of it. Only root, and the user that the region runs as, reach the socket. What no file is at hand
//! for (blobs in a bucket, blobs still on their way from another registry) is to be had by HTTP.

use crate::Registry;
use crate::respond::Response;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{Request, StatusCode};
use http_body_util::Empty;
use registry_client::local::{LocalAnswer, LocalRequest, read_request, write_answer};
use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Requests answered at the same time; more wait.
const AT_ONCE: usize = 32;
/// Longest time that one may take.
const LONGEST: Duration = Duration::from_secs(30);
/// Pause after the system refused a connection, for want of file descriptors above all.
const PAUSE: Duration = Duration::from_millis(100);

/// Marks a request whose asker can take a file. No header sets it.
#[derive(Clone, Copy)]
pub(crate) struct ByReference;

/// A blob's file, in the answer to a marked request.
#[derive(Clone)]
pub(crate) struct BlobFile(pub(crate) Arc<File>);

impl Registry {
    /// Hands blobs over at a socket until `shutdown` is ready. Hosts count as callers from `address`.
    pub async fn hand_over(
        &self,
        listener: UnixListener,
        address: IpAddr,
        shutdown: impl Future<Output = ()>,
    ) {
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        let environment = self.0.tables.environment().clone();
        let mut shutdown = std::pin::pin!(shutdown);
        // Dropped at the end, and with it what is still being answered.
        let mut answering = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = answering.join_next(), if !answering.is_empty() => continue,
                () = &mut shutdown => return,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot take a connection of a host");
                    environment.sleep(PAUSE).await;
                    continue;
                }
            };
            let permit = tokio::select! {
                permit = slots.clone().acquire_owned() => permit,
                () = &mut shutdown => return,
            };
            let (registry, environment) = (self.clone(), environment.clone());
            answering.spawn(async move {
                let _permit = permit;
                tokio::select! {
                    result = registry.hand_one_over(stream, address) => if let Err(error) = result {
                        tracing::debug!(%error, "a host did not get a blob by reference");
                    },
                    () = environment.sleep(LONGEST) => tracing::debug!("a host took too long"),
                }
            });
        }
    }

    async fn hand_one_over(&self, mut stream: UnixStream, address: IpAddr) -> std::io::Result<()> {
        let peer = stream.peer_cred()?.uid();
        if peer != 0 && peer != rustix::process::geteuid().as_raw() {
            return Err(std::io::ErrorKind::PermissionDenied.into());
        }
        let asked = read_request(&mut stream).await?;
        let response = match marked(&asked, address) {
            Ok(request) => self.handle(request).await,
            Err(_) => return write_answer(&mut stream, &LocalAnswer { status: 400 }, None).await,
        };
        let (status, file) = by_reference(&response);
        write_answer(&mut stream, &LocalAnswer { status: status.as_u16() }, file).await
    }
}

/// The request of the distribution protocol that is meant.
fn marked(asked: &LocalRequest, address: IpAddr) -> http::Result<Request<Empty<Bytes>>> {
    let path = format!("/v2/{}/blobs/{}", asked.repository, asked.digest);
    let mut request = Request::get(path).header(HOST, &asked.host);
    if let Some(authorization) = &asked.authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    request.extension(ByReference).extension(SocketAddr::new(address, 0)).body(Empty::new())
}

fn by_reference(response: &Response) -> (StatusCode, Option<&File>) {
    match response.extensions().get::<BlobFile>() {
        Some(BlobFile(file)) if response.status() == StatusCode::OK => (StatusCode::OK, Some(file)),
        // The blob is there, and so may it be read; but not like this.
        _ if response.status().is_success() || response.status().is_redirection() => {
            (StatusCode::NO_CONTENT, None)
        }
        _ => (response.status(), None),
    }
}
