//! Requests that are not as they should be.

use crate::support::{Region, Upstream, full, raw};
use http::Response;
use http_body_util::BodyExt;
use load_balancing::{Desync, TargetState};

async fn region() -> (Region, Upstream) {
    let upstream = Upstream::start(|request| async move {
        let target = request.uri().to_string();
        let body = request.into_body().collect().await.map_or(usize::MAX, |body| body.to_bytes().len());
        Response::new(full(format!("{target} with {body}")))
    })
    .await;
    let region = Region::application(&[upstream.address]).await;
    region.all(TargetState::Healthy).await;
    (region, upstream)
}

#[tokio::test]
async fn what_is_ambiguous_is_refused_and_reaches_nobody() {
    let (region, upstream) = region().await;
    let table: &[(&str, u16)] = &[
        // Two lengths, in either order, in one piece.
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
            400,
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\n\r\nabcd", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nX: y\r\n folded: z\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", 400),
        ("GET / HTTP/9.9\r\nHost: a\r\n\r\n", 400),
        ("nonsense\r\n\r\n", 400),
        ("\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    ];
    for (bytes, status) in table {
        let answer = raw(region.at(), bytes.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{bytes:?} is answered {answer:?}");
        assert!(
            !answer.contains("smuggled") && answer.matches("HTTP/1.1 ").count() == 1,
            "{bytes:?}: {answer:?}"
        );
    }
    // HTTP/2 is spoken in TLS only.
    assert_eq!(raw(region.at(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await, "");
    assert_eq!(upstream.count(), 0);
    let counts = region.report().await.load_balancers.remove(0);
    assert!(counts.elb_4xx + counts.elb_5xx >= table.len() as u64, "{counts:?}");
    region.stop().await;
}

/// Numbers that repeat with their seed (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}

/// A few requests in a row, changed here and there.
fn changed(seed: u64) -> Vec<u8> {
    const PIECES: &[&str] = &[
        "Content-Length: 5\r\n",
        "Content-Length: 50\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding:\x0bchunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "\r\n",
        "\n",
        "\r",
        "\0",
        " ",
        "\t",
        ":",
        "0\r\n\r\n",
        "5\r\nabcde\r\n",
        "5;x=y\r\n",
        "ffffffffffffffff\r\n",
        "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
        "Connection: close\r\n",
        "Host: b\r\n",
        "HTTP/1.0",
        "Connection: x-amzn-trace-id, x-forwarded-for\r\n",
        "Expect: 100-continue\r\n",
        "Upgrade: websocket\r\n",
    ];
    let mut numbers = Numbers(seed);
    let mut bytes = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 38\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\nX: \r\n\r\nPOST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /c HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len());
        match numbers.below(4) {
            0 => bytes[at] = numbers.below(256) as u8,
            1 => {
                bytes.remove(at);
            }
            _ => {
                let piece = PIECES[numbers.below(PIECES.len())];
                // Most of the time where a line begins.
                let line = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                let at = if numbers.below(4) == 0 { at } else { line };
                bytes.splice(at..at, piece.bytes());
            }
        }
    }
    bytes
}

#[tokio::test]
async fn whatever_comes_targets_see_only_what_the_load_balancer_has_seen() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let upstream = Upstream::start(|request| async move {
        let headers = request.headers();
        let seen = headers.contains_key("x-amzn-trace-id")
            && headers.get("x-forwarded-for").is_some_and(|value| value.as_bytes().ends_with(b"127.0.0.1"));
        let _ = request.into_body().collect().await;
        Response::new(full(if seen { "seen" } else { "SMUGGLED" }))
    })
    .await;
    let region = Region::application(&[upstream.address]).await;
    region.all(TargetState::Healthy).await;
    let pid = region.balancers().pid().await.expect("has one");
    let at = region.at();
    for first in (0..640u64).step_by(64) {
        let attempts = (first..first + 64).map(|seed| async move {
            let mut stream = tokio::net::TcpStream::connect(at).await.expect("connects");
            // It may be refused before it has been sent.
            let _ = stream.write_all(&changed(seed)).await;
            let mut answer = Vec::new();
            let _ =
                tokio::time::timeout(std::time::Duration::from_millis(300), stream.read_to_end(&mut answer))
                    .await;
            let answer = String::from_utf8_lossy(&answer).into_owned();
            assert!(
                !answer.contains("SMUGGLED"),
                "seed {seed}: {:?}",
                String::from_utf8_lossy(&changed(seed))
            );
        });
        futures::future::join_all(attempts).await;
    }
    assert_eq!(region.get("/").await, (200, "seen".to_owned()));
    assert_eq!(region.balancers().pid().await.expect("has one"), pid, "it is the same process still");
    assert!(upstream.count() > 200, "{}", upstream.count());
    region.stop().await;
}

#[tokio::test]
async fn heads_have_limits() {
    let (region, upstream) = region().await;
    let close = "Host: a\r\nConnection: close\r\n";
    let long_value = format!("GET / HTTP/1.1\r\n{close}X: {}\r\n\r\n", "x".repeat(70_000));
    let answer = raw(region.at(), long_value.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let long_value = format!("GET / HTTP/1.1\r\n{close}X: {}\r\n\r\n", "x".repeat(17_000));
    let answer = raw(region.at(), long_value.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let long_target = format!("GET /{} HTTP/1.1\r\n{close}\r\n", "x".repeat(20_000));
    let answer = raw(region.at(), long_target.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 414 "), "{answer}");
    let many = format!("GET / HTTP/1.1\r\n{close}{}\r\n", "X: y\r\n".repeat(500));
    let answer = raw(region.at(), many.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let hops = format!("GET / HTTP/1.1\r\n{close}X-Forwarded-For: {}1.1.1.1\r\n\r\n", "1.1.1.1, ".repeat(30));
    let answer = raw(region.at(), hops.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 463 "), "{answer}");
    assert_eq!(upstream.count(), 0);
    let fits = format!("GET / HTTP/1.1\r\n{close}X: {}\r\n\r\n", "x".repeat(15_000));
    let answer = raw(region.at(), fits.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    region.stop().await;
}

#[tokio::test]
async fn requests_in_a_row_are_answered_in_order() {
    let (region, _upstream) = region().await;
    let bytes = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
                 GET http://b/3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = raw(region.at(), bytes.as_bytes()).await;
    let places: Vec<_> =
        ["/1 with 0", "/2 with 3", "/3 with 0"].iter().map(|text| answer.find(text)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{answer}");
    region.stop().await;
}

#[tokio::test]
async fn the_strictest_mode_refuses_more() {
    let (mut region, _upstream) = region().await;
    let odd = b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";
    assert!(raw(region.at(), odd).await.starts_with("HTTP/1.1 200 "));
    region.attributes().desync = Desync::Strictest;
    region.attributes().drop_invalid_header_fields = true;
    region.apply().await;
    assert!(raw(region.at(), odd).await.starts_with("HTTP/1.1 400 "));
    region.stop().await;
}
