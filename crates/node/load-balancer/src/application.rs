//! Application load balancers: HTTP.

mod answers;
mod body;
mod client;
mod exchange;
mod forward;
mod headers;
pub(crate) mod io;
pub(crate) mod pool;
mod record;
mod sticky;
mod websocket;

use crate::live::Compiled;
use crate::worker::{Accepted, OnThisWorker, Worker};
use client::{Client, TlsFacts};
use headers::Forwarded;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use io::{Activity, Monitored};
use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// Longest head of a request, as AWS has it.
const MOST_HEAD: usize = 64 * 1024;
/// Most requests at a time on one connection of HTTP/2, as AWS has it.
const MOST_STREAMS: u32 = 128;
/// How HTTP/2 begins (RFC 9113, 3.4), as far as no other message does.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";
/// Pause between looks at how a client begins.
const PEEK_AGAIN: Duration = Duration::from_millis(1);
/// Longest time for a handshake.
pub(crate) const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// Serves a client's connection to its end.
pub(crate) async fn serve(worker: Rc<Worker>, accepted: Accepted, compiled: Arc<Compiled>) {
    let Ok(stream) = TcpStream::from_std(accepted.stream) else { return };
    let activity = Arc::new(Activity::new(worker.clock.clone()));
    let attributes = &compiled.balancer.attributes;
    let mut client = Client {
        listener: accepted.listener,
        peer: accepted.peer,
        activity: activity.clone(),
        forwarded: Forwarded::new(
            accepted.peer,
            attributes.forwarded_for_port,
            compiled.tls.is_some(),
            compiled.listener.port,
        ),
        tls: None,
        http2: false,
        waiting: Cell::new(0),
        closing: Cell::new(false),
        trace: (u128::from(worker.random()) << 64) | u128::from(worker.random()),
        worker,
    };
    let Some(config) = &compiled.tls else {
        client.http2 = attributes.is_proxy && begins_http2(&stream, attributes.idle_timeout_seconds).await;
        let (client, stream) = (Rc::new(client), Monitored::new(stream, activity));
        if client.http2 {
            http2(client, stream).await;
        } else {
            http1(client, stream).await;
        }
        return;
    };
    match timeout(HANDSHAKE_TIME, TlsAcceptor::from(config.clone()).accept(stream)).await {
        Ok(Ok(stream)) => {
            let connection = stream.get_ref().1;
            client.http2 = connection.alpn_protocol() == Some(b"h2");
            client.tls = Some(TlsFacts::new(connection, &compiled.listener, compiled.balancer.log.is_some()));
            let stream = Monitored::new(stream, activity);
            if client.http2 {
                http2(Rc::new(client), stream).await;
            } else {
                http1(Rc::new(client), stream).await;
            }
        }
        Ok(Err(_)) | Err(_) => compiled.balancer.counts.here().client_tls_errors.add(1),
    }
}

/// Whether a client begins to speak HTTP/2 without TLS. What it has sent is still there afterwards.
async fn begins_http2(stream: &TcpStream, longest_seconds: u32) -> bool {
    let seen = async {
        let mut head = [0; PREFACE.len()];
        loop {
            match stream.peek(&mut head).await {
                Ok(0) | Err(_) => return false,
                Ok(length) if head[..length] != PREFACE[..length] => return false,
                Ok(length) if length == PREFACE.len() => return true,
                // Nobody tells of the rest of a head that has come in parts.
                Ok(_) => sleep(PEEK_AGAIN).await,
            }
        }
    };
    timeout(Duration::from_secs(u64::from(longest_seconds.max(1))), seen).await.unwrap_or(false)
}

async fn http1<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(client: Rc<Client>, stream: Monitored<S>) {
    let service = service_fn({
        let client = client.clone();
        move |request| {
            let client = client.clone();
            async move { Ok::<_, Infallible>(exchange::answer(client, request).await) }
        }
    });
    let mut builder = http1::Builder::new();
    builder.header_read_timeout(None).max_header_size(MOST_HEAD);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let mut idle = pin!(idle(&client));
    let ended = poll_fn(|cx| {
        if let Poll::Ready(result) = connection.as_mut().poll(cx) {
            return Poll::Ready(Some(result));
        }
        idle.as_mut().poll(cx).map(|()| None)
    })
    .await;
    if let Some(Err(error)) = ended {
        broken(&client, &error);
    }
}

async fn http2<S: AsyncRead + AsyncWrite + Unpin + 'static>(client: Rc<Client>, stream: Monitored<S>) {
    // What comes is frames.
    client.activity.between_requests(false);
    let service = service_fn({
        let client = client.clone();
        move |request| {
            let client = client.clone();
            async move { Ok::<_, Infallible>(exchange::answer(client, request).await) }
        }
    });
    let mut builder = http2::Builder::new(OnThisWorker);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(MOST_HEAD as u32)
        .initial_stream_window_size(256 * 1024)
        .initial_connection_window_size(1 << 20);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut idle = pin!(idle(&client));
    let (mut draining, mut gone) = (client.worker.draining.clone(), client.listener.watch());
    let mut ending = pin!(async move {
        tokio::select! {
            _ = draining.wait_for(|draining| *draining) => {}
            _ = gone.wait_for(|gone| *gone) => {}
        }
    });
    let mut told = false;
    let ended = poll_fn(|cx| {
        if !told && (client.closing.get() || ending.as_mut().poll(cx).is_ready()) {
            told = true;
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(result) = connection.as_mut().poll(cx) {
            return Poll::Ready(Some(result));
        }
        idle.as_mut().poll(cx).map(|()| None)
    })
    .await;
    if let Some(Err(error)) = ended {
        broken(&client, &error);
    }
}

fn broken(client: &Client, error: &hyper::Error) {
    tracing::debug!(%error, peer = %client.peer, "a client's connection has broken");
    if error.is_parse()
        && let Some(compiled) = client.listener.compiled()
    {
        let counts = compiled.balancer.counts.here();
        counts.requests.add(1);
        counts.own_answer(400);
    }
}

/// Is over when the connection has been idle for too long, or a head takes too long to come. Says when it is too old.
async fn idle(client: &Client) {
    let clock = &client.worker.clock;
    let began = clock.millis();
    loop {
        let Some(compiled) = client.listener.compiled() else { return };
        let attributes = &compiled.balancer.attributes;
        let longest = u64::from(attributes.idle_timeout_seconds.max(1)) * 1000;
        let now = clock.millis();
        if now.saturating_sub(began) >= u64::from(attributes.client_keep_alive_seconds.max(1)) * 1000 {
            client.closing.set(true);
        }
        let since = client.activity.head_since().unwrap_or_else(|| client.activity.last());
        let quiet = now.saturating_sub(since);
        let left = if client.waiting.get() > 0 { longest } else { longest.saturating_sub(quiet) };
        if left == 0 {
            return;
        }
        sleep(Duration::from_millis(left)).await;
    }
}
