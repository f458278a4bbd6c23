//! Health checks: each target is checked by a task of its own.

use crate::application::io::TargetStream;
use crate::application::pool::MOST_ANSWER_HEAD;
use crate::connect::{Wrapping, dial};
use crate::target::{Group, OfNetwork, Target, View};
use bytes::Bytes;
use http::{Method, Request, Version, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use load_balancing::{
    CheckFailure, HealthCheck, HealthCheckPort, HealthCheckProtocol, ProtocolVersion, TargetState,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// What checks call themselves, as AWS has it.
const USER_AGENT: &str = "ELB-HealthChecker/2.0";
/// Most bytes of an answer of gRPC that are read on the way to its trailers.
const MOST_BODY: usize = 1 << 20;
/// How long a target that is not to be checked is left alone.
const REST: Duration = Duration::from_secs(1);

/// Checks a target until no configuration names it any more. `changed` is called when its health has changed.
pub(crate) async fn check(group: Arc<Group>, target: Arc<Target>, changed: impl Fn()) {
    let mut changes = group.watch();
    let mut last: Option<Instant> = None;
    loop {
        let view = group.view();
        if !view.targets.iter().any(|other| other.key == target.key) {
            return;
        }
        let check = &view.spec.health_check;
        let resting = !check.enabled || !view.used || target.draining_since().is_some();
        let pause = if resting { REST } else { target.health.lock().pause(check) };
        if let Some(last) = last {
            tokio::select! {
                () = sleep_until(last + pause) => {}
                // Its settings may have changed, or whether it drains.
                result = changes.changed() => match result {
                    Ok(()) => continue,
                    Err(_) => return,
                },
            }
        }
        last = Some(Instant::now());
        if !resting {
            check_once(&group, &view, &target, &changed).await;
        }
    }
}

async fn check_once(group: &Group, view: &View, target: &Target, changed: &impl Fn()) {
    let check = &view.spec.health_check;
    let longest = Duration::from_secs(u64::from(check.timeout_seconds.max(1)));
    let outcome = match timeout(longest, attempt(view, target)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(CheckFailure::Timeout),
    };
    if target.draining_since().is_some() {
        return;
    }
    let became = {
        let mut health = target.health.lock();
        let before = health.state();
        health.observe(outcome, check, group.environment.now()).then(|| (before, health.state()))
    };
    let Some((before, state)) = became else { return };
    tracing::info!(group = %group.arn, target = %target.address, from = before.as_str(), to = state.as_str(), "the health of a target has changed");
    if state == TargetState::Healthy {
        group.became_healthy(target);
    }
    group.refresh();
    if state == TargetState::Unhealthy && view.spec.is_network() && view.spec.attributes.terminate_unhealthy {
        target.cut();
    }
    changed();
}

async fn attempt(view: &View, target: &Target) -> Result<(), CheckFailure> {
    let check = &view.spec.health_check;
    let port = match check.port {
        HealthCheckPort::TrafficPort => target.address.port(),
        HealthCheckPort::Port(port) => port,
    };
    let address = SocketAddr::new(target.address.ip(), port);
    let version = view.spec.protocol_version;
    let wrapping = match (check.protocol, version) {
        (HealthCheckProtocol::Http | HealthCheckProtocol::Tcp, _) => Wrapping::Plain,
        (HealthCheckProtocol::Tls, _) => Wrapping::Tls,
        (HealthCheckProtocol::Https, ProtocolVersion::Http1) => Wrapping::Http1Tls,
        (HealthCheckProtocol::Https, _) => Wrapping::Http2Tls,
    };
    let stream = dial(address, target.source, wrapping, None).await.map_err(|_| CheckFailure::Failed)?;
    let code = match (check.protocol, version) {
        (HealthCheckProtocol::Tcp | HealthCheckProtocol::Tls, _) => return Ok(()),
        (_, ProtocolVersion::Http1) => by_http1(stream, check, address).await,
        (_, ProtocolVersion::Http2) => by_http2(stream, check, address).await,
        (_, ProtocolVersion::Grpc) => by_grpc(stream, check, address).await,
    }
    .ok_or(CheckFailure::Failed)?;
    if check.matcher.matches(code) { Ok(()) } else { Err(CheckFailure::Code(code)) }
}

async fn by_http1(stream: TargetStream, check: &HealthCheck, address: SocketAddr) -> Option<u16> {
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(MOST_ANSWER_HEAD).handshake(TokioIo::new(stream)).await.ok()?;
    let request = Request::get(check.path.as_str())
        .header(header::HOST, address.to_string())
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::CONNECTION, "close")
        .body(Full::<Bytes>::default())
        .ok()?;
    let response = beside(connection, sender.send_request(request)).await.ok()?;
    Some(response.status().as_u16())
}

async fn by_http2(stream: TargetStream, check: &HealthCheck, address: SocketAddr) -> Option<u16> {
    let request = Request::get(format!("http://{address}{}", check.path)).body(Full::default()).ok()?;
    let (parts, _) = over_http2(stream, request, false).await?;
    Some(parts.status.as_u16())
}

/// Calls a method with an empty message; the code is in the trailers, or in the head when there is no message.
async fn by_grpc(stream: TargetStream, check: &HealthCheck, address: SocketAddr) -> Option<u16> {
    // A message of no bytes, not compressed.
    let message = Bytes::from_static(&[0; 5]);
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://{address}{}", check.path))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .body(Full::new(message))
        .ok()?;
    let (parts, trailers) = over_http2(stream, request, true).await?;
    let status = trailers.as_ref().and_then(|trailers| trailers.get("grpc-status"));
    status.or_else(|| parts.headers.get("grpc-status"))?.to_str().ok()?.parse().ok()
}

async fn over_http2(
    stream: TargetStream,
    mut request: Request<Full<Bytes>>,
    with_trailers: bool,
) -> Option<(http::response::Parts, Option<http::HeaderMap>)> {
    *request.version_mut() = Version::HTTP_2;
    request.headers_mut().insert(header::USER_AGENT, header::HeaderValue::from_static(USER_AGENT));
    let (mut sender, connection) =
        http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await.ok()?;
    let exchange = async {
        let (parts, body) = sender.send_request(request).await.ok()?.into_parts();
        let trailers = if with_trailers { trailers(body).await } else { None };
        Some((parts, trailers))
    };
    beside(connection, exchange).await
}

/// Waits for an exchange while its connection is driven, which may end first and leaves the exchange to say how it went.
async fn beside<T>(connection: impl Future, exchange: impl Future<Output = T>) -> T {
    let drive = async {
        connection.await;
        std::future::pending().await
    };
    tokio::select! {
        result = exchange => result,
        result = drive => result,
    }
}

async fn trailers(body: Incoming) -> Option<http::HeaderMap> {
    Limited::new(body, MOST_BODY).collect().await.ok()?.trailers().cloned()
}
