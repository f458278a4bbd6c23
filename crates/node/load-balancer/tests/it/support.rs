//! A process of load balancers, targets and clients.

use bytes::Bytes;
use environment::Environment;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use load_balancer::LoadBalancers;
use load_balancing::{
    Action, Configuration, Forward, HealthCheck, HealthCheckPort, HealthCheckProtocol, HttpAttributes, Kind,
    Listener, LoadBalancer, Protocol, ProtocolVersion, Report, Target, TargetGroup, TargetGroupAttributes,
    TargetReport, TargetState,
};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

pub const PORT: u16 = 8080;
pub const GROUP: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef";
pub const BALANCER: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/0123456789abcdef";
pub const DEADLINE: Duration = Duration::from_secs(30);

pub type Body = BoxBody<Bytes, std::io::Error>;

pub fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never| match never {}).boxed()
}

pub fn empty() -> Body {
    Empty::new().map_err(|never: Infallible| match never {}).boxed()
}

/// An address of this machine that no other test has.
pub fn own_address() -> IpAddr {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let (process, number) = (std::process::id(), NEXT.fetch_add(1, SeqCst) as u8);
    IpAddr::from([127, 16 + (process >> 8 & 0x3f) as u8, process as u8, number])
}

/// A process with one load balancer.
pub struct Region {
    balancers: Option<LoadBalancers>,
    pub configuration: Configuration,
    pub address: IpAddr,
    pub directory: TempDir,
}

/// Nothing is left behind, by a test that fails either: neither the process at work nor those that still drain.
impl Drop for Region {
    fn drop(&mut self) {
        let directory = self.directory.path().join("lb");
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let ours = arguments
                .split(|byte| *byte == 0)
                .any(|argument| argument == directory.as_os_str().as_bytes());
            let pid =
                entry.file_name().to_string_lossy().parse().ok().and_then(rustix::process::Pid::from_raw);
            if let (true, Some(pid)) = (ours, pid) {
                // It may have ended by itself.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_longshore-test-load-balancer"))
}

impl Region {
    /// An application load balancer with one HTTP listener that forwards to one group.
    pub async fn application(targets: &[SocketAddr]) -> Self {
        Self::with(Kind::Application, Protocol::Http, group(GROUP, Protocol::Http, targets)).await
    }

    pub async fn with(kind: Kind, protocol: Protocol, group: TargetGroup) -> Self {
        let address = own_address();
        let listener =
            Listener::new("listener", protocol, PORT, Action::Forward(Forward::to(group.arn.clone())));
        let configuration = Configuration {
            revision: 1,
            load_balancers: vec![LoadBalancer {
                arn: BALANCER.into(),
                kind,
                addresses: vec![address],
                listeners: vec![listener],
                http: HttpAttributes::default(),
                access_log: None,
                proxy_log: None,
            }],
            target_groups: vec![group],
        };
        Self::configured(address, configuration).await
    }

    pub async fn configured(address: IpAddr, configuration: Configuration) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let balancers = load_balancer::start(&directory.path().join("lb"), program(), &Environment::real())
            .await
            .expect("starts");
        let region = Self { balancers: Some(balancers), configuration, address, directory };
        region.apply().await;
        region
    }

    pub fn listener(&mut self) -> &mut Listener {
        &mut self.configuration.load_balancers[0].listeners[0]
    }

    pub fn attributes(&mut self) -> &mut HttpAttributes {
        &mut self.configuration.load_balancers[0].http
    }

    pub fn group(&mut self) -> &mut TargetGroup {
        &mut self.configuration.target_groups[0]
    }

    pub async fn apply(&self) {
        self.balancers().apply(&self.configuration).await.expect("applies");
        let report = self.report().await;
        assert!(report.listeners.iter().all(|listener| listener.error.is_none()), "{:?}", report.listeners);
    }

    pub async fn report(&self) -> Report {
        self.balancers().report().await.expect("reports")
    }

    /// Waits until all targets are in a state.
    pub async fn all(&self, state: TargetState) {
        self.until("all targets are in a state", |report| {
            report.targets.iter().all(|target| target.state == state)
        })
        .await;
    }

    pub async fn until(&self, what: &str, holds: impl Fn(&Report) -> bool) -> Report {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let report = self.report().await;
            if holds(&report) {
                return report;
            }
            assert!(Instant::now() < deadline, "never came: {what}; {report:#?}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn target(&self, port: u16) -> TargetReport {
        let report = self.report().await;
        report.targets.into_iter().find(|target| target.port == port).expect("is there")
    }

    pub fn at(&self) -> SocketAddr {
        (self.address, PORT).into()
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.at()).await
    }

    /// One request on a connection of its own.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let mut client = self.client().await;
        let response = client.send(request(path)).await.expect("is answered");
        let status = response.status().as_u16();
        (status, text(response).await)
    }

    /// Ends it as one who configures does.
    pub async fn stop(mut self) {
        let balancers = self.balancers.take().expect("is there until the end");
        balancers.stop(Duration::ZERO).await.expect("stops");
    }

    pub fn balancers(&self) -> &LoadBalancers {
        self.balancers.as_ref().expect("is there until the end")
    }
}

pub fn request(path: &str) -> Request<Body> {
    Request::get(path).header("host", "example.com").body(empty()).expect("is one")
}

pub async fn text(response: Response<Incoming>) -> String {
    let bytes = response.into_body().collect().await.expect("comes whole").to_bytes();
    String::from_utf8_lossy(&bytes).into_owned()
}

pub fn target(address: SocketAddr) -> Target {
    Target { id: address.ip().to_string(), address: address.ip(), port: address.port(), draining_since: None }
}

pub fn group(arn: &str, protocol: Protocol, targets: &[SocketAddr]) -> TargetGroup {
    let check = match protocol {
        Protocol::Http => HealthCheckProtocol::Http,
        Protocol::Https => HealthCheckProtocol::Https,
        _ => HealthCheckProtocol::Tcp,
    };
    TargetGroup {
        arn: arn.into(),
        protocol,
        protocol_version: ProtocolVersion::Http1,
        health_check: HealthCheck {
            enabled: true,
            protocol: check,
            port: HealthCheckPort::TrafficPort,
            path: "/health".into(),
            interval_seconds: 1,
            timeout_seconds: 1,
            healthy_threshold: 2,
            unhealthy_threshold: 2,
            matcher: "200".parse().expect("is one"),
        },
        attributes: TargetGroupAttributes::default(),
        source: None,
        targets: targets.iter().copied().map(target).collect(),
    }
}

/// A connection of a client that speaks HTTP/1.1.
pub struct Client {
    sender: hyper::client::conn::http1::SendRequest<Body>,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("connects");
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("shakes hands");
        tokio::spawn(async move {
            let _ = connection.with_upgrades().await;
        });
        Self { sender }
    }

    pub async fn send(&mut self, request: Request<Body>) -> hyper::Result<Response<Incoming>> {
        self.sender.ready().await?;
        self.sender.send_request(request).await
    }
}

/// A target.
pub struct Upstream {
    pub address: SocketAddr,
    pub requests: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

type Handler = Arc<dyn Fn(Request<Incoming>) -> BoxFuture<'static, Response<Body>> + Send + Sync>;

impl Upstream {
    /// A target that says its name; it is healthy.
    pub async fn named(name: &'static str) -> Self {
        Self::start(move |_| async move { Response::new(full(name)) }).await
    }

    /// A target that answers as `handler` says, but for `/health`, which is well.
    pub async fn start<F>(handler: impl Fn(Request<Incoming>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let address = listener.local_addr().expect("has one");
        let requests = Arc::new(AtomicUsize::new(0));
        let count = requests.clone();
        let handler: Handler = Arc::new(move |request| {
            if request.uri().path() == "/health" {
                return Box::pin(async { Response::new(full("well")) });
            }
            count.fetch_add(1, SeqCst);
            Box::pin(handler(request))
        });
        let task = tokio::spawn(serve(listener, handler));
        Self { address, requests, task }
    }

    pub fn count(&self) -> usize {
        self.requests.load(SeqCst)
    }

    /// Accepts nothing any more.
    pub fn close(self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, handler: Handler) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let handler = handler.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let answer = handler(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection_with_upgrades(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// Sends bytes as they are, and returns what comes until the other side closes or nothing more comes.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(bytes).await.expect("sends");
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(Ok(length)) = tokio::time::timeout(Duration::from_secs(3), stream.read(&mut buffer)).await {
        if length == 0 {
            break;
        }
        answer.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}
