//! Clients that are slow, silent, too large or not HTTP at all, and the end of the server.

use crate::region::{DEADLINE, TestRegion, read_reply};
use api_server::Limits;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SHORT: Duration = Duration::from_millis(200);

async fn impatient() -> TestRegion {
    TestRegion::with(Limits {
        head_time: SHORT,
        body_time: SHORT,
        body_bytes: 100_000,
        head_bytes: 8192,
        ..Limits::default()
    })
    .await
}

/// Everything the server still sends until it closes; fails when it does not.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut bytes)).await;
    // A reset is an end too.
    let _ = read.expect("the connection ends in time");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn slow_heads_end() {
    let region = impatient().await;
    // Nothing, the beginning of HTTP/2, half a head, and a connection that was used once.
    for begin in ["", "P", "PRI * HTTP/2.0", "POST / HTTP/1.1\r\nhost: x\r\nx-slow: "] {
        let mut stream = region.connect().await;
        stream.write_all(begin.as_bytes()).await.expect("writes");
        let said = rest(&mut stream).await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{begin:?}: {said}");
    }
    let mut stream = region.connect().await;
    stream.write_all(region.json("Echo", "{}").as_bytes()).await.expect("writes");
    assert_eq!(read_reply(&mut stream).await.status, 200);
    rest(&mut stream).await;
    assert_eq!(region.send(region.json("Echo", "{}")).await.status, 200);
    region.stop().await;
}

#[tokio::test]
async fn slow_bodies_end() {
    let region = impatient().await;
    let request = region.json("Echo", r#"{"text":"abc"}"#);
    region.send(&request[..request.len() - 1]).await.assert_json_error(400, "RequestTimeoutException");
    region.stop().await;
}

#[tokio::test]
async fn connections_are_kept() {
    let region = TestRegion::start().await;
    let mut stream = region.connect().await;
    for _ in 0..3 {
        stream.write_all(region.json("Echo", r#"{"text":"a"}"#).as_bytes()).await.expect("writes");
        assert_eq!(read_reply(&mut stream).await.body, r#"{"text":"a"}"#);
        stream.write_all(region.json("Echo", "{").as_bytes()).await.expect("writes");
        assert_eq!(read_reply(&mut stream).await.status, 400);
    }
    region.stop().await;
}

#[tokio::test]
async fn large_bodies() {
    let region = impatient().await;
    let announced = |length: u64| {
        let request = region.json("Echo", "{}");
        request.replace("content-length: 2\r\n\r\n{}", &format!("content-length: {length}\r\n\r\n"))
    };
    // Refused by what is announced, without waiting for it.
    region.send(announced(1 << 40)).await.assert_json_error(400, "RequestEntityTooLargeException");
    let chunked = |chunks: usize| {
        let chunk = format!("8000\r\n{}\r\n", " ".repeat(0x8000));
        let head = announced(0).replace("content-length: 0", "transfer-encoding: chunked");
        format!("{head}{}0\r\n\r\n", chunk.repeat(chunks))
    };
    region.send(chunked(4)).await.assert_json_error(400, "RequestEntityTooLargeException");
    let large = format!("{}{{}}", " ".repeat(90_000));
    assert_eq!(region.send(region.json("Echo", &large)).await.status, 200);
    region.stop().await;
}

#[tokio::test]
async fn strangers_send_little() {
    let region = TestRegion::start().await;
    let head = "POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: Probe_20200101.Echo\r\n";
    let reply = region.send(format!("{head}content-length: 100000\r\n\r\n")).await;
    reply.assert_json_error(400, "MissingAuthenticationTokenException");
    let stranger =
        aws_wire::sigv4::Signer { access_key_id: "AKIAUNKNOWNUNKNOWN00".to_owned(), ..region.signer.clone() };
    let target = [("x-amz-target", "Probe_20200101.Echo")];
    let request = region.signed(&stranger, "probe", region.now(), &target, &" ".repeat(100_000));
    let (head, _) = request.split_once("\r\n\r\n").expect("a head");
    let reply = region.send(format!("{head}\r\n\r\n")).await;
    reply.assert_json_error(400, "UnrecognizedClientException");
    region.stop().await;
}

#[tokio::test]
async fn bodies_are_plain_or_gzip() {
    let region = TestRegion::start().await;
    let headers = [("x-amz-target", "Probe_20200101.Echo"), ("content-encoding", "br")];
    let reply = region.send(region.call("probe", &headers, "{}")).await;
    reply.assert_json_error(400, "UnsupportedMediaTypeException");
    let headers = [("x-amz-target", "Probe_20200101.Echo"), ("content-encoding", "gzip")];
    let reply = region.send(region.call("probe", &headers, "{}")).await;
    reply.assert_json_error(400, "SerializationException");
    region.stop().await;
}

#[tokio::test]
async fn large_heads_and_other_languages() {
    let region = impatient().await;
    let large =
        region.send(format!("GET / HTTP/1.1\r\nhost: x\r\nx-large: {}\r\n\r\n", "a".repeat(100_000))).await;
    assert_eq!(large.status, 431);
    let many = region.send(format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "x-many: 1\r\n".repeat(500))).await;
    assert_eq!(many.status, 431);
    for bytes in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\0\0\0\0\r\n\r\n"[..], b"hello\r\n\r\n", b"\0\0\0\0"]
    {
        let mut stream = region.connect().await;
        stream.write_all(bytes).await.expect("writes");
        let said = rest(&mut stream).await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 400"), "{said}");
    }
    assert_eq!(region.send(region.json("Echo", "{}")).await.status, 200);
    region.stop().await;
}

#[tokio::test]
async fn clients_that_ask_first_may_go_on() {
    let region = TestRegion::start().await;
    let request = region.json("Echo", "{}");
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    let mut stream = region.connect().await;
    stream.write_all(format!("{head}\r\nexpect: 100-continue\r\n\r\n").as_bytes()).await.expect("writes");
    assert_eq!(read_reply(&mut stream).await.status, 100);
    stream.write_all(body.as_bytes()).await.expect("writes");
    assert_eq!(read_reply(&mut stream).await.status, 200);
    region.stop().await;
}

#[tokio::test]
async fn places_are_given_back() {
    let region = TestRegion::with(Limits { connections: 2, head_time: SHORT, ..Limits::default() }).await;
    let _silent = (region.connect().await, region.connect().await);
    assert_eq!(region.send(region.json("Echo", "{}")).await.status, 200, "after the silent ones are gone");
    region.stop().await;
}

#[tokio::test]
async fn the_end_waits_for_nobody_long() {
    let region = TestRegion::with(Limits { drain_time: SHORT, ..Limits::default() }).await;
    let address = region.address;
    let mut kept = region.connect().await;
    kept.write_all(region.json("Echo", "{}").as_bytes()).await.expect("writes");
    assert_eq!(read_reply(&mut kept).await.status, 200);
    let mut slow = region.connect().await;
    slow.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n").await.expect("writes");
    region.stop().await;
    assert_eq!(rest(&mut kept).await, "");
    assert!(TcpStream::connect(address).await.is_err());
}
