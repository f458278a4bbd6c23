//! TCP and TLS of network load balancers: one connection of a client is one connection to a target.

use super::copy::{Copied, copy};
use super::proxy_protocol;
use crate::application::HANDSHAKE_TIME;
use crate::application::io::TargetStream;
use crate::connect::{ConnectError, Wrapping, connect};
use crate::live::{Compiled, Forwarding, Step};
use crate::proxy_log::{self, number, text};
use crate::target::{Group, Outstanding, Target};
use crate::worker::{Accepted, Worker};
use environment::Timestamp;
use load_balancing::{Protocol, flow_hash};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

/// The number of TCP among protocols of IP.
const TCP: u8 = 6;
/// Most targets that one connection is offered to.
const MOST_TARGETS: usize = 3;

/// Serves a client's connection to its end.
pub(crate) async fn serve(worker: &Worker, accepted: Accepted, compiled: &Arc<Compiled>) {
    let Ok(stream) = TcpStream::from_std(accepted.stream) else { return };
    let (peer, local) = (accepted.peer, accepted.local);
    let (created, started) = (worker.environment.now(), Instant::now());
    let Some(config) = &compiled.tls else {
        let (_, copied) = carry(worker, stream, peer, local, compiled).await;
        tell(compiled, peer, copied, created, started);
        return;
    };
    match timeout(HANDSHAKE_TIME, TlsAcceptor::from(config.clone()).accept(stream)).await {
        Ok(Ok(stream)) => {
            let handshake = started.elapsed();
            let facts = Facts::new(stream.get_ref().1, compiled);
            let (target, copied) = carry(worker, stream, peer, local, compiled).await;
            if let Some(log) = &compiled.balancer.log {
                let name = compiled.balancer.arn.split_once("loadbalancer/").map_or("-", |(_, name)| name);
                let listener = compiled.listener.arn.rsplit('/').next().unwrap_or("-");
                let target = target.map_or("-".to_owned(), |target| target.to_string());
                let now = worker.environment.now();
                log.write(|line| {
                    use std::fmt::Write;
                    // Writing to a String cannot fail.
                    let _ = writeln!(
                        line,
                        "tls 2.0 {} {name} {listener} {peer} {target} {} {} {} {} - {} - {} {} - {} {} - \"-\" {}",
                        now.to_rfc3339_seconds().trim_end_matches('Z'),
                        started.elapsed().as_millis(),
                        handshake.as_millis(),
                        copied.received,
                        copied.sent,
                        facts.certificate,
                        facts.cipher,
                        facts.version,
                        facts.name,
                        facts.alpn,
                        created.to_rfc3339_seconds().trim_end_matches('Z'),
                    );
                });
            }
        }
        Ok(Err(_)) | Err(_) => compiled.balancer.counts.here().client_tls_errors.add(1),
    }
}

/// Has a proxy tell of a connection that is over.
fn tell(compiled: &Compiled, peer: SocketAddr, copied: Copied, created: Timestamp, started: Instant) {
    static CONNECTIONS: AtomicU64 = AtomicU64::new(1);
    let Some(log) = &compiled.balancer.log else { return };
    let Some(own) = log.proxy() else { return };
    let duration = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let fields = vec![
        text("start_time", &created.to_rfc3339(), false),
        text("downstream_remote_address", &peer.ip().to_canonical().to_string(), false),
        number("downstream_remote_port", peer.port()),
        number("bytes_received", copied.received),
        number("bytes_sent", copied.sent),
        number("duration", duration),
        text("connection_termination_details", "", false),
        number("connection_id", CONNECTIONS.fetch_add(1, Relaxed)),
    ];
    log.write(|line| proxy_log::write(own, fields, line));
}

/// What a handshake came to, for the log.
struct Facts {
    certificate: String,
    cipher: String,
    version: &'static str,
    name: String,
    alpn: String,
}

impl Facts {
    fn new(connection: &rustls::ServerConnection, compiled: &Compiled) -> Self {
        let name = connection.server_name();
        Self {
            certificate: crate::tls::chosen_arn(&compiled.listener, name).unwrap_or_else(|| "-".to_owned()),
            cipher: connection
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str())
                .map_or("-".to_owned(), |name| name.replace("TLS13_", "TLS_")),
            version: match connection.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_3) => "tlsv13",
                Some(rustls::ProtocolVersion::TLSv1_2) => "tlsv12",
                _ => "-",
            },
            name: name.unwrap_or("-").to_owned(),
            alpn: connection
                .alpn_protocol()
                .map_or("-".to_owned(), |name| String::from_utf8_lossy(name).into_owned()),
        }
    }
}

/// Carries a connection to a target and back; says which one, and how much.
async fn carry<S: AsyncRead + AsyncWrite + Unpin>(
    worker: &Worker,
    stream: S,
    peer: SocketAddr,
    local: SocketAddr,
    compiled: &Compiled,
) -> (Option<SocketAddr>, Copied) {
    let Step::Forward(forwarding) = &compiled.default else { return (None, Copied::default()) };
    let Some((target_stream, target, _outstanding)) = reach(forwarding, peer, local).await else {
        // The client's connection is closed.
        return (None, Copied::default());
    };
    let idle = Duration::from_secs(u64::from(compiled.listener.tcp_idle_timeout_seconds.max(1)));
    let copied = copy(stream, target_stream, idle, &worker.clock).await;
    compiled.balancer.counts.here().processed_bytes.add(copied.sent + copied.received);
    (Some(target.address), copied)
}

async fn reach(
    forwarding: &Forwarding,
    peer: SocketAddr,
    local: SocketAddr,
) -> Option<(TargetStream, Arc<Target>, Outstanding)> {
    let group = &forwarding.choose()?.group;
    let view = group.view();
    let flow = flow_hash(TCP, peer, local, view.by_source_alone());
    let wrapping = if view.spec.protocol == Protocol::Tls { Wrapping::Tls } else { Wrapping::Plain };
    let header = view.spec.attributes.proxy_protocol_v2.then(|| proxy_protocol::header(peer, local));
    let is_proxy = view.spec.attributes.outlier_detection.is_some();
    let mut refused = Vec::new();
    for _ in 0..MOST_TARGETS {
        let target = if is_proxy {
            let target = group.choose(&view, &refused);
            // One that has refused is asked once more before it is given up, when there is no other.
            target.or_else(|| group.choose(&view, &[]))?
        } else {
            view.choose_for_flow(flow, &refused)?
        };
        let outstanding = target.begin();
        let opened = open(&target, wrapping, header.as_deref(), group).await;
        group.observe(&target, opened.is_ok());
        match opened {
            Ok(stream) => return Some((stream, target, outstanding)),
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "a target cannot be reached");
                refused.push(target.key);
            }
        }
    }
    None
}

async fn open(
    target: &Arc<Target>,
    wrapping: Wrapping,
    header: Option<&[u8]>,
    group: &Group,
) -> Result<TargetStream, ConnectError> {
    let counts = group.counts.here();
    let mut stream = connect(target, wrapping).await.inspect_err(|_| counts.connection_errors.add(1))?;
    if let Some(header) = header {
        let written: io::Result<()> = stream.write_all(header).await;
        written.map_err(ConnectError::Failed)?;
    }
    counts.requests.add(1);
    Ok(stream)
}
