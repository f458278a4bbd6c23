//! Requests on their way to targets and back.

use crate::support::{GROUP, Region, Upstream, empty, full, group, request, text};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use load_balancing::{
    AccessLog, Action, Condition, FixedResponse, Forward, Protocol, Redirect, Rule, Stickiness, TargetState,
    WeightedTargetGroup,
};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Says the headers that it got.
async fn headers_of(request: Request<hyper::body::Incoming>) -> Response<crate::support::Body> {
    let mut lines: Vec<String> = request
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    lines.push(format!("target: {} {}", request.method(), request.uri()));
    Response::new(full(lines.join("\n")))
}

#[tokio::test]
async fn a_request_goes_to_a_target_and_back() {
    let upstream = Upstream::start(headers_of).await;
    let region = Region::application(&[upstream.address]).await;
    region.all(TargetState::Healthy).await;
    let mut client = region.client().await;
    for _ in 0..3 {
        let mut request = request("/a/b?c=d");
        let headers = request.headers_mut();
        headers.insert("x-forwarded-for", "10.1.1.1".parse().expect("is one"));
        headers.insert("connection", "keep-alive, x-mine".parse().expect("is one"));
        headers.insert("x-mine", "1".parse().expect("is one"));
        headers.insert("x-other", "2".parse().expect("is one"));
        let response = client.send(request).await.expect("is answered");
        assert_eq!(response.status(), StatusCode::OK);
        let seen = text(response).await;
        assert!(seen.contains("target: GET /a/b?c=d"), "{seen}");
        assert!(seen.contains("x-forwarded-for: 10.1.1.1, 127.0.0.1"), "{seen}");
        assert!(
            seen.contains("x-forwarded-proto: http\n") && seen.contains("x-forwarded-port: 8080"),
            "{seen}"
        );
        assert!(seen.contains("x-amzn-trace-id: Root=1-"), "{seen}");
        assert!(seen.contains("host: example.com:8080"), "{seen}");
        assert!(seen.contains("x-other: 2") && !seen.contains("x-mine"), "{seen}");
        assert!(!seen.contains("connection:"), "{seen}");
    }
    let report = region.report().await;
    assert_eq!(report.load_balancers[0].requests, 3);
    assert_eq!((report.target_groups[0].requests, report.target_groups[0].target_2xx), (3, 3));
    assert_eq!(report.target_groups[0].response_times.count, 3);
    assert_eq!(report.load_balancers[0].active_connections, 1);
    assert_eq!(report.targets[0].outstanding, 0);
    region.stop().await;
}

#[tokio::test]
async fn bodies_of_all_kinds_go_both_ways() {
    let upstream = Upstream::start(|request| async move {
        let length = request.headers().get("content-length").cloned();
        let bytes = request.into_body().collect().await.expect("comes whole").to_bytes();
        let mut response = Response::new(full(bytes));
        if let Some(length) = length {
            response.headers_mut().insert("x-length", length);
        }
        response
    })
    .await;
    let region = Region::application(&[upstream.address]).await;
    region.all(TargetState::Healthy).await;
    let mut client = region.client().await;
    let big: Bytes = (0..4_000_000u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>().into();
    for body in [Bytes::new(), Bytes::from_static(b"x"), big] {
        let request = Request::post("/").header("host", "a").body(full(body.clone())).expect("is one");
        let response = client.send(request).await.expect("is answered");
        assert_eq!(response.status(), 200);
        assert!(response.into_body().collect().await.expect("comes whole").to_bytes() == body);
        // Without a length, in chunks.
        let chunks: Vec<_> =
            body.chunks(100_000).map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk)))).collect();
        let stream = BodyExt::boxed(StreamBody::new(futures::stream::iter(chunks)));
        let request = Request::post("/").header("host", "a").body(stream).expect("is one");
        let response = client.send(request).await.expect("is answered");
        assert!(!response.headers().contains_key("x-length"));
        assert!(response.into_body().collect().await.expect("comes whole").to_bytes() == body);
    }
    region.stop().await;
}

#[tokio::test]
async fn answers_without_bodies_keep_their_headers() {
    let upstream = Upstream::start(|request| async move {
        let status = if request.uri().path() == "/304" { 304 } else { 200 };
        let mut response = Response::new(empty());
        *response.status_mut() = StatusCode::from_u16(status).expect("is one");
        if request.method() == "HEAD" {
            response.headers_mut().insert("content-length", "1234".parse().expect("is one"));
        }
        response
    })
    .await;
    let region = Region::application(&[upstream.address]).await;
    region.all(TargetState::Healthy).await;
    let mut client = region.client().await;
    let head = Request::head("/").header("host", "a").body(empty()).expect("is one");
    let response = client.send(head).await.expect("is answered");
    assert_eq!(response.headers()["content-length"], "1234");
    assert_eq!(client.send(request("/304")).await.expect("is answered").status(), 304);
    assert_eq!(client.send(request("/")).await.expect("is answered").status(), 200);
    region.stop().await;
}

#[tokio::test]
async fn the_load_balancer_answers_for_targets_that_do_not() {
    let mut region = Region::application(&[]).await;
    let answer =
        crate::support::raw(region.at(), b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(
        answer.contains("server: awselb/2.0") && answer.contains("503 Service Unavailable</h1>"),
        "{answer}"
    );

    // Nobody listens there: it fails open once that is found out, and is refused.
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("listens").local_addr().expect("has one");
    region.group().targets = vec![crate::support::target(nobody)];
    region.apply().await;
    region.all(TargetState::Unhealthy).await;
    assert_eq!(region.get("/").await.0, 502);

    // Accepts, and says nothing sensible; or nothing.
    let rude = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let address = rude.local_addr().expect("has one");
    tokio::spawn(async move {
        loop {
            let Ok((mut stream, _)) = rude.accept().await else { return };
            tokio::spawn(async move {
                let mut head = vec![0; 1024];
                let length = stream.read(&mut head).await.unwrap_or(0);
                if head[..length].starts_with(b"GET /silent") {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
                if !head[..length].starts_with(b"GET /close") {
                    let _ = stream.write_all(b"nonsense\r\n\r\n").await;
                }
            });
        }
    });
    region.group().targets = vec![crate::support::target(address)];
    region.group().health_check.enabled = false;
    region.attributes().idle_timeout_seconds = 1;
    region.apply().await;
    assert_eq!(region.get("/nonsense").await.0, 502);
    assert_eq!(region.get("/close").await.0, 502);
    assert_eq!(region.get("/silent").await.0, 504);
    let report = region.report().await;
    let counts = &report.load_balancers[0];
    assert_eq!((counts.elb_502, counts.elb_503, counts.elb_504, counts.elb_5xx), (3, 1, 1, 5));
    region.stop().await;
}

#[tokio::test]
async fn a_refused_connection_is_tried_elsewhere_and_costs_nobody_a_request() {
    let upstream = Upstream::named("here").await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("listens").local_addr().expect("has one");
    let mut region = Region::application(&[upstream.address, nobody]).await;
    region.group().health_check.enabled = false;
    region.apply().await;
    let mut client = region.client().await;
    for _ in 0..20 {
        let request = Request::post("/").header("host", "a").body(full("body")).expect("is one");
        let response = client.send(request).await.expect("is answered");
        assert_eq!((response.status().as_u16(), text(response).await.as_str()), (200, "here"));
    }
    assert!(region.report().await.target_groups[0].connection_errors > 0);
    region.stop().await;
}

#[tokio::test]
async fn a_target_that_dies_within_its_answer_breaks_it_off() {
    let rude = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let address = rude.local_addr().expect("has one");
    tokio::spawn(async move {
        loop {
            let Ok((mut stream, _)) = rude.accept().await else { return };
            let mut head = [0; 1024];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    });
    let mut region = Region::application(&[address]).await;
    region.group().health_check.enabled = false;
    region.apply().await;
    let mut client = region.client().await;
    let response = client.send(request("/")).await.expect("has a head");
    assert_eq!(response.status(), 200);
    assert!(response.into_body().collect().await.is_err(), "an end that is none is no end");
    assert_eq!(region.report().await.targets[0].outstanding, 0);
    region.stop().await;
}

#[tokio::test]
async fn a_connection_that_its_target_closed_costs_no_request() {
    // Closes each connection a while after its first answer, as servers with short timeouts do.
    let short = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let address = short.local_addr().expect("has one");
    tokio::spawn(async move {
        loop {
            let Ok((mut stream, _)) = short.accept().await else { return };
            tokio::spawn(async move {
                let mut head = [0; 1024];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
                // What comes next is read, and not answered.
                let _ = stream.read(&mut head).await;
            });
        }
    });
    let mut region = Region::application(&[address]).await;
    region.group().health_check.enabled = false;
    region.apply().await;
    let mut client = region.client().await;
    for _ in 0..3 {
        let response = client.send(request("/")).await.expect("is answered");
        assert_eq!(text(response).await, "ok");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    region.stop().await;
}

#[tokio::test]
async fn rules_decide() {
    let (one, two) = (Upstream::named("one").await, Upstream::named("two").await);
    let mut region = Region::application(&[one.address]).await;
    region.configuration.target_groups.push(group("other", Protocol::Http, &[two.address]));
    let rule = |priority, path: &str, action| Rule {
        arn: format!("rule-{priority}"),
        priority,
        conditions: vec![Condition::PathPattern(vec![path.into()])],
        action,
    };
    let fixed =
        FixedResponse { status: 418, content_type: Some("text/plain".into()), body: Some("tea".into()) };
    let redirect = Redirect {
        protocol: "HTTPS".into(),
        host: "#{host}".into(),
        port: "443".into(),
        path: "/new/#{path}".into(),
        query: "#{query}".into(),
        status: 301,
    };
    region.listener().rules = vec![
        rule(3, "/two/*", Action::Forward(Forward::to("other"))),
        rule(1, "/two/tea", Action::FixedResponse(fixed)),
        rule(2, "/old/*", Action::Redirect(redirect)),
    ];
    region.listener().response_headers = vec![("strict-transport-security".into(), "max-age=1".into())];
    region.apply().await;
    region.all(TargetState::Healthy).await;
    assert_eq!(region.get("/").await, (200, "one".to_owned()));
    assert_eq!(region.get("/two/x").await, (200, "two".to_owned()));
    assert_eq!(region.get("/two/tea").await, (418, "tea".to_owned()));
    let mut client = region.client().await;
    let response = client.send(request("/old/a?b=c")).await.expect("is answered");
    assert_eq!(response.status(), 301);
    assert_eq!(response.headers()["location"], "https://example.com:443/new/old/a?b=c");
    assert_eq!(response.headers()["strict-transport-security"], "max-age=1");
    let counts = region.report().await.load_balancers.remove(0);
    assert_eq!((counts.redirects, counts.fixed_responses, counts.requests), (1, 1, 4));
    region.stop().await;
}

#[tokio::test]
async fn clients_stay_where_they_are() {
    let upstreams = [Upstream::named("0").await, Upstream::named("1").await, Upstream::named("2").await];
    let addresses = upstreams.each_ref().map(|upstream| upstream.address);
    let mut region = Region::application(&addresses).await;
    region.group().attributes.stickiness = Some(Stickiness::LbCookie { seconds: 60 });
    region.configuration.target_groups.push(group("other", Protocol::Http, &[addresses[0]]));
    let Action::Forward(forward) = &mut region.listener().default_action else { unreachable!("it forwards") };
    forward.target_groups.push(WeightedTargetGroup { arn: "other".into(), weight: 1 });
    forward.stickiness_seconds = Some(60);
    region.apply().await;
    region.all(TargetState::Healthy).await;
    let cookies = |headers: &HeaderMap| {
        let pairs =
            headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()?.split(';').next());
        pairs.collect::<Vec<_>>().join("; ")
    };
    let mut client = region.client().await;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..12 {
        let response = client.send(request("/")).await.expect("is answered");
        let cookie = cookies(response.headers());
        assert!(cookie.contains("AWSALBTG="), "{cookie}");
        let first = text(response).await;
        seen.insert(first.clone());
        for _ in 0..4 {
            let mut again = request("/");
            again.headers_mut().insert("cookie", cookie.parse().expect("is one"));
            assert_eq!(text(client.send(again).await.expect("is answered")).await, first);
        }
    }
    assert_eq!(seen.len(), 3);
    region.stop().await;
}

#[tokio::test]
async fn a_slow_client_gets_its_answer_and_an_idle_one_is_let_go() {
    let upstream = Upstream::start(|request| async move {
        let bytes = request.into_body().collect().await.expect("comes whole").to_bytes();
        Response::new(full(format!("{} bytes", bytes.len())))
    })
    .await;
    let mut region = Region::application(&[upstream.address]).await;
    region.attributes().idle_timeout_seconds = 2;
    region.apply().await;
    region.all(TargetState::Healthy).await;
    // Slower as a whole than the idle timeout, but never idle.
    let mut stream = TcpStream::connect(region.at()).await.expect("connects");
    stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n").await.expect("sends");
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        stream.write_all(b"xy").await.expect("sends");
    }
    let mut answer = vec![0; 1024];
    let length = stream.read(&mut answer).await.expect("is answered");
    let answer = String::from_utf8_lossy(&answer[..length]);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("12 bytes"), "{answer}");
    // Now idle.
    let start = tokio::time::Instant::now();
    assert_eq!(stream.read(&mut [0; 10]).await.expect("ends"), 0);
    assert!(start.elapsed() > Duration::from_millis(1500), "{:?}", start.elapsed());
    // One that never sends the rest of its body.
    let answer =
        crate::support::raw(region.at(), b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\nxy").await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    // One that never sends the rest of its head, byte by byte.
    let mut stream = TcpStream::connect(region.at()).await.expect("connects");
    let start = tokio::time::Instant::now();
    for byte in b"GET / HTTP/1.1\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" {
        if stream.write_all(&[*byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(start.elapsed() < Duration::from_secs(5), "it is let go while it drips");
    region.stop().await;
}

#[tokio::test]
async fn requests_are_logged() {
    let upstream = Upstream::named("one").await;
    let mut region = Region::application(&[upstream.address]).await;
    let directory = region.directory.path().join("logs");
    region.configuration.load_balancers[0].access_log = Some(AccessLog::in_directory(directory.clone()));
    region.apply().await;
    region.all(TargetState::Healthy).await;
    let mut client = region.client().await;
    let mut asked = request("/a?b=c");
    asked.headers_mut().insert("user-agent", "curl \"7\"".parse().expect("is one"));
    text(client.send(asked).await.expect("is answered")).await;
    let path = directory.join("access.log");
    let deadline = tokio::time::Instant::now() + crate::support::DEADLINE;
    let line = loop {
        match std::fs::read_to_string(&path) {
            Ok(text) if text.ends_with('\n') => break text,
            _ if tokio::time::Instant::now() > deadline => panic!("nothing was logged"),
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let fields: Vec<&str> = line.split(' ').collect();
    assert_eq!((fields[0], fields[2]), ("http", "app/web/0123456789abcdef"), "{line}");
    assert!(fields[3].starts_with("127.0.0.1:"), "{line}");
    assert_eq!(fields[4], upstream.address.to_string(), "{line}");
    assert_eq!((fields[8], fields[9]), ("200", "200"), "{line}");
    assert!(
        line.contains("\"GET http://example.com:8080/a?b=c HTTP/1.1\" \"curl \\\"7\\\"\" - - "),
        "{line}"
    );
    assert!(line.contains(&format!(" {GROUP} \"Root=1-")), "{line}");
    assert!(line.contains(" 0 20") && line.contains("\"forward\""), "{line}");
    region.stop().await;
}
