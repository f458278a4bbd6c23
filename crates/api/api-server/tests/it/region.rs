//! A server on a free port, and a client that sends what it is told to, byte by byte.

use crate::probe::Probe;
use access::{Access, Caller};
use api_server::{ApiServer, Audit, Authenticator, Config, Limits, Listener, Running};
use api_sts::{ProviderKeys, StsService};
use aws_wire::sigv4::{Signer, sign};
use encryption::KeyRing;
use environment::{Environment, Timestamp};
use http::Request;
use identifiers::Region;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use store::{MemoryStore, Tables};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long anything here may take before it counts as hanging.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct TestRegion {
    pub(crate) address: SocketAddr,
    pub(crate) signer: Signer,
    pub(crate) environment: Environment,
    running: Option<Running>,
}

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl TestRegion {
    pub(crate) async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        Self::with_audit(limits, None).await
    }

    pub(crate) async fn with_audit(limits: Limits, audit: Option<Audit>) -> Self {
        let environment = Environment::real();
        let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
        let keys = ProviderKeys::new(None, environment.clone());
        let access = Access::new(tables.clone(), KeyRing::in_memory(environment.clone()));
        let root = Caller::root(&"123456789012".parse().expect("an account"));
        let made = access.create_key(&root).await.expect("a key");
        let region: Region = "eu-central-1".parse().expect("a region");
        let config = Config {
            region: region.clone(),
            environment: environment.clone(),
            authenticator: Authenticator::new(access.clone(), region, environment.clone()),
            audit,
            services: vec![
                Arc::new(api_sts::shapes::Server(StsService::new(tables, access.clone(), keys))),
                Arc::new(Probe),
            ],
            handlers: vec![],
        };
        let listener = Listener::bind("127.0.0.1:0".parse().expect("an address")).await.expect("binds");
        let running = listener.serve(ApiServer::with_limits(config, limits));
        let signer = Signer {
            access_key_id: made.key.access_key_id,
            secret_access_key: made.secret.expose().to_owned(),
            session_token: None,
            region: "eu-central-1".to_owned(),
        };
        Self { address: running.address(), signer, environment, running: Some(running) }
    }

    pub(crate) async fn stop(mut self) {
        if let Some(running) = self.running.take() {
            tokio::time::timeout(DEADLINE, running.stop()).await.expect("stops in time");
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.environment.now()
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connects")
    }

    /// A JSON call of the probe, signed rightly.
    pub(crate) fn json(&self, operation: &str, body: &str) -> String {
        self.call("probe", &[("x-amz-target", &format!("Probe_20200101.{operation}"))], body)
    }

    /// A query call, signed rightly.
    pub(crate) fn query(&self, service: &str, form: &str) -> String {
        self.call(service, &[("content-type", "application/x-www-form-urlencoded; charset=utf-8")], form)
    }

    /// A POST with these headers, signed rightly now.
    pub(crate) fn call(&self, service: &str, headers: &[(&str, &str)], body: &str) -> String {
        self.signed(&self.signer, service, self.now(), headers, body)
    }

    /// A POST, signed by anybody at any time.
    pub(crate) fn signed(
        &self,
        signer: &Signer,
        service: &str,
        at: Timestamp,
        headers: &[(&str, &str)],
        body: &str,
    ) -> String {
        let mut request = Request::post("/").header("host", self.address.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut parts = request.body(()).expect("a request").into_parts().0;
        sign(&mut parts, body.as_bytes(), signer, service, at).expect("signs");
        let mut text = "POST / HTTP/1.1\r\n".to_owned();
        for (name, value) in &parts.headers {
            for part in [name.as_str(), ": ", value.to_str().expect("text"), "\r\n"] {
                text.push_str(part);
            }
        }
        text + &format!("content-length: {}\r\n\r\n{body}", body.len())
    }

    /// Sends bytes on a connection of their own and reads one answer.
    pub(crate) async fn send(&self, request: impl AsRef<[u8]>) -> Reply {
        let mut stream = self.connect().await;
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(request.as_ref()).await;
        read_reply(&mut stream).await
    }
}

/// Reads one answer with a `Content-Length`.
pub(crate) async fn read_reply(stream: &mut TcpStream) -> Reply {
    let read = async {
        let mut bytes = Vec::new();
        loop {
            let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
            if let Some(end) = head_end {
                let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let length: usize = length.map_or(0, |length| length.parse().expect("a length"));
                if bytes.len() >= end + 4 + length {
                    let status = head[9..12].parse().expect("a status");
                    let body = String::from_utf8_lossy(&bytes[end + 4..]).into_owned();
                    return Reply { status, head, body };
                }
            }
            let count = stream.read_buf(&mut bytes).await.expect("reads");
            assert!(count > 0, "closed after {:?}", String::from_utf8_lossy(&bytes));
        }
    };
    tokio::time::timeout(DEADLINE, read).await.expect("an answer in time")
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let name = format!("{name}: ");
        self.head.lines().find_map(|line| line.strip_prefix(name.as_str()))
    }

    /// Checks what every answer has, then the status and the error code of a JSON protocol.
    pub(crate) fn assert_json_error(&self, status: u16, code: &str) {
        self.assert_ids();
        assert!(self.body.contains(&format!("\"__type\":\"{code}\"")), "{self:?}");
        assert_eq!((self.status, self.header("content-type")), (status, Some("application/x-amz-json-1.1")));
    }

    /// The same for the query protocol.
    pub(crate) fn assert_query_error(&self, status: u16, code: &str) {
        self.assert_ids();
        assert!(self.body.contains(&format!("<Code>{code}</Code>")), "{self:?}");
        assert_eq!((self.status, self.header("content-type")), (status, Some("text/xml")));
    }

    pub(crate) fn assert_ids(&self) {
        assert_eq!(self.header("x-amzn-requestid").map(str::len), Some(36), "{self:?}");
        assert!(self.header("date").is_some(), "{self:?}");
    }
}
