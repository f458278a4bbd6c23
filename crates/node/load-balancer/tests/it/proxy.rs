//! What the proxies of tasks do otherwise than load balancers.

use crate::support::{DEADLINE, GROUP, Region, Upstream, empty, full, group, request, text};
use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::{TokioExecutor, TokioIo};
use load_balancing::{
    Action, Condition, Forward, LogFormat, OutlierDetection, Protocol, ProtocolVersion, ProxyLog, Rule,
    WeightedTargetGroup,
};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

/// A proxy with one endpoint that has these targets.
async fn proxy(targets: &[SocketAddr], request_seconds: Option<u32>) -> Region {
    let mut region = Region::application(targets).await;
    region.attributes().is_proxy = true;
    region.attributes().preserve_host_header = true;
    region.group().health_check.enabled = false;
    let attributes = &mut region.group().attributes;
    attributes.outlier_detection = Some(OutlierDetection::default());
    attributes.connect_timeout_millis = Some(500);
    attributes.request_timeout_seconds = request_seconds;
    region.apply().await;
    region
}

/// A target that takes requests and breaks off.
async fn breaking() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let address = listener.local_addr().expect("has one");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // Whatever came of it.
            let _ = stream.read(&mut [0; 1024]).await;
        }
    });
    address
}

#[tokio::test]
async fn requests_get_over_targets_that_are_gone() {
    let (good, gone) = (Upstream::named("good").await, Upstream::named("gone").await);
    let (address, broken) = (gone.address, breaking().await);
    gone.close();
    let region = proxy(&[address, good.address, broken], None).await;
    for _ in 0..12 {
        assert_eq!(region.get("/").await, (200, "good".to_owned()));
    }
    // What changes something is not sent twice; what never reached a target is.
    let region = proxy(&[broken], None).await;
    let post = Request::post("/").header("host", "a").body(full("x")).expect("is one");
    let answer = region.client().await.send(post).await.expect("is answered");
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    let region = proxy(&[address, good.address], None).await;
    for _ in 0..4 {
        let post = Request::post("/").header("host", "a").body(full("x")).expect("is one");
        assert_eq!(region.client().await.send(post).await.expect("is answered").status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_target_that_fails_again_and_again_gets_nothing_for_a_while() {
    let bad = Upstream::start(|_| async {
        let mut answer = Response::new(full("bad"));
        *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        answer
    })
    .await;
    let good = Upstream::named("good").await;
    let region = proxy(&[bad.address, good.address], None).await;
    for _ in 0..10 {
        region.get("/").await;
    }
    assert_eq!(bad.count(), 5, "five failures are enough");
    for _ in 0..6 {
        assert_eq!(region.get("/").await, (200, "good".to_owned()));
    }
    assert_eq!((bad.count(), good.count()), (5, 11));
    // One that is alone is never ejected.
    let region = proxy(&[bad.address], None).await;
    for _ in 0..8 {
        assert_eq!(region.get("/").await.0, 500);
    }
    assert_eq!(bad.count(), 13);
}

#[tokio::test]
async fn an_answer_has_its_time() {
    let upstream = Upstream::start(|request| async move {
        if request.uri().path() == "/head" {
            tokio::time::sleep(Duration::from_secs(30)).await;
            return Response::new(full("late"));
        }
        let first = futures::stream::once(async { Ok(Frame::data(Bytes::from_static(b"begun"))) });
        let rest = futures::stream::pending();
        Response::new(StreamBody::new(futures::StreamExt::chain(first, rest)).boxed())
    })
    .await;
    let region = proxy(&[upstream.address], Some(1)).await;
    assert_eq!(region.get("/head").await.0, 504);
    let answer = region.client().await.send(request("/body")).await.expect("is answered");
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.into_body().collect().await.is_err(), "it breaks off");
}

#[tokio::test]
async fn messages_go_through_as_they_are_whatever_is_spoken() {
    let upstream = Upstream::start(|request| async move {
        let headers = request.headers();
        let added = headers.keys().any(|name| name.as_str().starts_with("x-"));
        let host = headers.get("host").map_or("-", |host| host.to_str().unwrap_or("-"));
        Response::new(full(format!("{host} {added} {:?}", request.version())))
    })
    .await;
    let region = proxy(&[upstream.address], None).await;
    assert_eq!(region.get("/").await, (200, "example.com false HTTP/1.1".to_owned()));
    let stream = TcpStream::connect(region.at()).await.expect("connects");
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.expect("shakes hands");
    tokio::spawn(connection);
    let grpc = Request::post("http://example.com/a")
        .header("content-type", "application/grpc")
        .body(empty())
        .expect("is one");
    let answer = sender.send_request(grpc).await.expect("is answered");
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
    assert_eq!(text(answer).await, "example.com false HTTP/1.1");
    let report = region.report().await;
    assert_eq!((report.load_balancers[0].requests, report.load_balancers[0].grpc_requests), (2, 1));
}

/// Sends a request over HTTP/2, with a header if one is given.
async fn send_http2(region: &Region, header: Option<(&str, &str)>) -> Response<hyper::body::Incoming> {
    let stream = TcpStream::connect(region.at()).await.expect("connects");
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.expect("shakes hands");
    tokio::spawn(connection);
    let mut request = Request::post("http://example.com/call?a=b").header("content-type", "application/grpc");
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    sender.send_request(request.body(empty()).expect("is one")).await.expect("is answered")
}

#[tokio::test]
async fn requests_with_a_header_go_to_what_comes_and_others_by_weight() {
    let (blue, green) = (Upstream::named("blue").await, Upstream::named("green").await);
    let mut region = proxy(&[blue.address], None).await;
    let mut other = group("green", Protocol::Http, &[green.address]);
    other.health_check.enabled = false;
    region.configuration.target_groups.push(other);
    let weighted = |arn: &str, weight| WeightedTargetGroup { arn: arn.to_owned(), weight };
    region.listener().rules = vec![Rule {
        arn: "test".to_owned(),
        priority: 1,
        conditions: vec![Condition::HeaderIs { name: "X-Test".to_owned(), value: Some("yes".to_owned()) }],
        action: Action::Forward(Forward::to("green")),
    }];
    region.apply().await;
    for (header, page) in
        [(Some(("x-test", "yes")), "green"), (Some(("x-test", "YES")), "blue"), (None, "blue")]
    {
        assert_eq!(text(send_http2(&region, header).await).await, page, "{header:?}");
    }
    region.listener().default_action = Action::Forward(Forward {
        target_groups: vec![weighted(GROUP, 75), weighted("green", 25)],
        stickiness_seconds: None,
    });
    region.apply().await;
    let before = green.count();
    for _ in 0..200 {
        assert_eq!(region.get("/").await.0, 200);
    }
    let share = green.count() - before;
    assert!((25..=75).contains(&share), "{share} of 200");
}

#[tokio::test]
async fn a_proxy_tells_of_calls() {
    let upstream = Upstream::start(|_| async {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", http::HeaderValue::from_static("5"));
        let frames = [Ok(Frame::data(Bytes::from_static(b"abc"))), Ok(Frame::trailers(trailers))];
        Response::new(StreamBody::new(futures::stream::iter(frames)).boxed())
    })
    .await;
    let mut region = proxy(&[upstream.address], None).await;
    region.group().protocol_version = ProtocolVersion::Grpc;
    let log = ProxyLog { format: LogFormat::Json, with_queries: false };
    region.configuration.load_balancers[0].proxy_log = Some(log);
    region.apply().await;
    send_http2(&region, None).await.into_body().collect().await.expect("comes whole");
    let path = region.directory.path().join("lb/load-balancer.log");
    let line = async {
        loop {
            let told = std::fs::read_to_string(&path).expect("reads");
            if let Some(line) = told.lines().find(|line| line.starts_with('{')) {
                return serde_json::from_str::<serde_json::Value>(line).expect("an object");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let line = tokio::time::timeout(DEADLINE, line).await.expect("is told");
    assert_eq!((&line["method"], &line["path"]), (&"POST".into(), &"/call".into()));
    assert_eq!((&line["protocol"], &line["response_code"]), (&"HTTP/2".into(), &200.into()));
    assert_eq!((&line["grpc_status"], &line["bytes_sent"]), (&"NotFound".into(), &3.into()));
    assert!(line["stream_id"].is_string() && line["forwarded_for"].is_null(), "{line}");
}
