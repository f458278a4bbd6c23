//! TLS, HTTP/2, gRPC and websockets.

use crate::support::{Body, GROUP, PORT, Region, Upstream, full, group, own_address, request, text};
use base64::Engine;
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use load_balancing::{Certificate, Kind, Protocol, ProtocolVersion, TargetState};
use rustls::pki_types::ServerName;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub fn certificate(arn: &str, names: &[&str]) -> Certificate {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).expect("is made");
    Certificate {
        arn: arn.into(),
        chain: pem("CERTIFICATE", made.cert.der()),
        private_key: pem("PRIVATE KEY", &made.signing_key.serialize_der()),
    }
}

fn pem(label: &str, bytes: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    let lines: Vec<String> =
        text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Connects by TLS without verifying; gives the certificate that it got, too.
pub async fn tls(region: &Region, name: &'static str, alpn: &[&str]) -> (TlsStream<TcpStream>, Vec<u8>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("are there")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider.signature_verification_algorithms)))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(region.at()).await.expect("connects");
    let name = ServerName::try_from(name).expect("is one");
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("shakes hands");
    let certificate = stream.get_ref().1.peer_certificates().expect("has one")[0].to_vec();
    (stream, certificate)
}

#[derive(Debug)]
struct Anybody(rustls::crypto::WebPkiSupportedAlgorithms);

impl rustls::client::danger::ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &rustls::pki_types::CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &rustls::pki_types::CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.supported_schemes()
    }
}

async fn https(upstream: &Upstream, version: ProtocolVersion) -> Region {
    let mut group = group(GROUP, Protocol::Http, &[upstream.address]);
    group.protocol_version = version;
    if version == ProtocolVersion::Grpc {
        group.health_check.path = "/AWS.ALB/healthcheck".into();
        group.health_check.matcher = "12".parse().expect("is one");
    }
    let address = own_address();
    let mut listener = load_balancing::Listener::new(
        "listener",
        Protocol::Https,
        PORT,
        load_balancing::Action::Forward(load_balancing::Forward::to(GROUP)),
    );
    listener.certificates =
        vec![certificate("default", &["default.test"]), certificate("other", &["*.other.test"])];
    let configuration = load_balancing::Configuration {
        revision: 1,
        load_balancers: vec![load_balancing::LoadBalancer {
            arn: crate::support::BALANCER.into(),
            kind: Kind::Application,
            addresses: vec![address],
            listeners: vec![listener],
            http: load_balancing::HttpAttributes::default(),
            access_log: None,
            proxy_log: None,
        }],
        target_groups: vec![group],
    };
    let region = Region::configured(address, configuration).await;
    region.all(TargetState::Healthy).await;
    region
}

async fn http2_client(region: &Region) -> http2::SendRequest<Body> {
    let (stream, _) = tls(region, "default.test", &["h2", "http/1.1"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("shakes hands");
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn certificates_are_chosen_by_name() {
    let upstream = Upstream::named("one").await;
    let region = https(&upstream, ProtocolVersion::Http1).await;
    let (_, default) = tls(&region, "default.test", &[]).await;
    let (_, unknown) = tls(&region, "unknown.test", &[]).await;
    let (stream, other) = tls(&region, "www.other.test", &[]).await;
    assert_eq!(default, unknown);
    assert_ne!(default, other);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, Body>(TokioIo::new(stream)).await.expect("shakes hands");
    tokio::spawn(connection);
    let response = sender.send_request(request("/")).await.expect("is answered");
    assert_eq!(text(response).await, "one");
    // Not a handshake at all.
    let answer = crate::support::raw(region.at(), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(!answer.contains("HTTP/1.1 200"), "{answer}");
    region
        .until("the failed handshake is counted", |report| report.load_balancers[0].client_tls_errors == 1)
        .await;
    region.stop().await;
}

#[tokio::test]
async fn http2_of_clients_goes_to_targets_of_either_version() {
    for version in [ProtocolVersion::Http1, ProtocolVersion::Http2] {
        let upstream = Upstream::start(move |request| async move {
            let wanted = if version == ProtocolVersion::Http1 { Version::HTTP_11 } else { Version::HTTP_2 };
            assert_eq!(request.version(), wanted);
            let host = request.headers().get("host").map(|host| host.to_str().expect("is text").to_owned());
            let host = host.or_else(|| request.uri().authority().map(ToString::to_string));
            let cookies: Vec<_> = request.headers().get_all("cookie").iter().cloned().collect();
            let proto = request.headers()["x-forwarded-proto"].clone();
            let bytes = request.into_body().collect().await.expect("comes whole").to_bytes();
            Response::new(full(format!("{host:?} {proto:?} {} {}", cookies.len(), bytes.len())))
        })
        .await;
        let region = https(&upstream, version).await;
        let client = http2_client(&region).await;
        let asked = (0..50).map(|number| {
            let mut client = client.clone();
            async move {
                let mut request = Request::post("https://default.test/x")
                    .body(full(vec![0; number * 1000]))
                    .expect("is one");
                request.headers_mut().append("cookie", HeaderValue::from_static("a=1"));
                request.headers_mut().append("cookie", HeaderValue::from_static("b=2"));
                let response = client.send_request(request).await.expect("is answered");
                assert_eq!(response.status(), 200);
                let seen = text(response).await;
                let crumbs = if version == ProtocolVersion::Http1 { 1 } else { 2 };
                assert_eq!(seen, format!("Some(\"default.test:8080\") \"https\" {crumbs} {}", number * 1000));
            }
        });
        futures::future::join_all(asked).await;
        assert_eq!(region.report().await.target_groups[0].target_2xx, 50);
        region.stop().await;
    }
}

#[tokio::test]
async fn grpc_goes_through_with_its_trailers_and_streams() {
    let upstream = Upstream::start(|request| async move {
        if request.uri().path() == "/AWS.ALB/healthcheck" {
            let mut response = Response::new(full(""));
            response.headers_mut().insert("grpc-status", HeaderValue::from_static("12"));
            return response;
        }
        assert_eq!(request.headers()["te"], "trailers");
        // Answers each message as it comes.
        let messages =
            request.into_body().into_data_stream().map(|data| Ok(Frame::data(data.expect("comes"))));
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let end = futures::stream::iter([Ok(Frame::trailers(trailers))]);
        Response::new(BodyExt::boxed(StreamBody::new(messages.chain(end))))
    })
    .await;
    let region = https(&upstream, ProtocolVersion::Grpc).await;
    let mut client = http2_client(&region).await;
    let (mut sender, messages) = futures::channel::mpsc::channel::<Result<Frame<Bytes>, std::io::Error>>(1);
    let body = BodyExt::boxed(StreamBody::new(messages));
    let request = Request::post("https://default.test/service/method")
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .body(body)
        .expect("is one");
    let mut response = client.send_request(request).await.expect("is answered");
    for number in 0..10u8 {
        sender.send(Ok(Frame::data(Bytes::from(vec![number; 10])))).await.expect("sends");
        let frame = response.frame().await.expect("comes").expect("comes well");
        assert_eq!(
            frame.into_data().expect("is data"),
            vec![number; 10],
            "each is answered before the next is sent"
        );
    }
    assert_eq!(region.report().await.targets[0].outstanding, 1);
    drop(sender);
    let trailers =
        response.frame().await.expect("comes").expect("comes well").into_trailers().expect("are some");
    assert_eq!(trailers["grpc-status"], "0");
    drop(response);
    // What is no gRPC does not get there.
    let get = Request::get("https://default.test/").body(full("")).expect("is one");
    assert_eq!(client.send_request(get).await.expect("is answered").status().as_u16(), 464);
    region.stop().await;
}

#[tokio::test]
async fn a_busy_connection_of_http2_outlives_the_idle_timeout() {
    let upstream = Upstream::start(|request| async move {
        if request.uri().path() == "/short" {
            return Response::new(full("short"));
        }
        let pieces = futures::stream::unfold(0, |number| async move {
            tokio::time::sleep(Duration::from_millis(250)).await;
            (number < 16)
                .then(|| (Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(b"x"))), number + 1))
        });
        Response::new(BodyExt::boxed(StreamBody::new(Box::pin(pieces))))
    })
    .await;
    let mut region = https(&upstream, ProtocolVersion::Http1).await;
    region.attributes().idle_timeout_seconds = 1;
    region.apply().await;
    let mut client = http2_client(&region).await;
    let ask =
        |path: &str| Request::get(format!("https://default.test{path}")).body(full("")).expect("is one");
    let long = client.send_request(ask("/long")).await.expect("is answered");
    let short = client.send_request(ask("/short")).await.expect("is answered");
    assert_eq!(text(short).await, "short");
    assert_eq!(text(long).await.len(), 16, "four seconds, but never idle");
    region.stop().await;
}

#[tokio::test]
async fn websockets_are_carried() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let address = listener.local_addr().expect("has one");
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { return };
            tokio::spawn(async move {
                let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
                while let Some(Ok(message)) = socket.next().await {
                    if message.is_close() || socket.send(message).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    let mut region = Region::application(&[address]).await;
    region.group().health_check.enabled = false;
    region.attributes().idle_timeout_seconds = 2;
    region.apply().await;
    let stream = TcpStream::connect(region.at()).await.expect("connects");
    let (mut socket, response) =
        tokio_tungstenite::client_async("ws://example.com/chat", stream).await.expect("goes over");
    assert_eq!(response.status(), 101);
    for number in 0..8 {
        // Longer as a whole than the idle timeout.
        tokio::time::sleep(Duration::from_millis(400)).await;
        socket.send(format!("message {number}").into()).await.expect("sends");
        let answer = socket.next().await.expect("comes").expect("comes well");
        assert_eq!(answer.into_text().expect("is text").as_str(), format!("message {number}"));
    }
    let report = region.report().await;
    assert_eq!(report.targets[0].outstanding, 1, "it counts as a request in progress");
    // A configuration changes nothing for it.
    region.listener().response_headers = vec![("x-new".into(), "1".into())];
    region.apply().await;
    socket.send("still there".into()).await.expect("sends");
    assert_eq!(
        socket.next().await.expect("comes").expect("comes well").into_text().expect("is text").as_str(),
        "still there"
    );
    // Idle, it is closed.
    let end = tokio::time::timeout(Duration::from_secs(10), socket.next()).await.expect("ends");
    assert!(!matches!(end, Some(Ok(_))), "{end:?}");
    region.until("it is over", |report| report.targets[0].outstanding == 0).await;
    region.stop().await;
}
