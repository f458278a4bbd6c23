//! Network load balancers.

use crate::protocols::{certificate, tls};
use crate::support::{GROUP, Region, group};
use environment::{Environment, Timestamp};
use load_balancing::{Kind, Protocol, Stickiness, TargetState};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// Says its name, then whatever is said to it.
pub async fn echo(name: u8) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let address = listener.local_addr().expect("has one");
    tokio::spawn(async move {
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            tokio::spawn(async move {
                let _ = stream.write_all(&[name]).await;
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    address
}

/// A connection, and the name of the target that it came to.
pub async fn connect(region: &Region) -> (TcpStream, u8) {
    let mut stream = TcpStream::connect(region.at()).await.expect("connects");
    let name = stream.read_u8().await.expect("says its name");
    (stream, name)
}

#[tokio::test]
async fn connections_are_spread_and_carried() {
    let targets = [echo(1).await, echo(2).await];
    let mut region = Region::with(Kind::Network, Protocol::Tcp, group(GROUP, Protocol::Tcp, &targets)).await;
    region.all(TargetState::Healthy).await;
    let mut counts = [0; 3];
    let mut open = Vec::new();
    for _ in 0..40 {
        let (stream, name) = connect(&region).await;
        counts[usize::from(name)] += 1;
        open.push((stream, name));
    }
    assert!(counts[1] > 5 && counts[2] > 5, "{counts:?}");
    let (mut stream, _) = open.pop().expect("is one");
    let sent: Vec<u8> = (0..1_000_000u32).map(|number| number as u8).collect();
    let (mut read, mut write) = stream.split();
    let mut received = Vec::new();
    let both = futures::future::join(
        async {
            write.write_all(&sent).await.expect("sends");
            write.shutdown().await.expect("ends its side");
        },
        read.read_to_end(&mut received),
    );
    both.await.1.expect("comes whole");
    assert!(received == sent);
    // Clients of one address stay together.
    region.group().attributes.stickiness = Some(Stickiness::SourceIp);
    region.apply().await;
    let first = connect(&region).await.1;
    for _ in 0..10 {
        assert_eq!(connect(&region).await.1, first);
    }
    region.stop().await;
}

#[tokio::test]
async fn a_draining_target_keeps_its_connections_until_its_time_is_over() {
    let targets = [echo(1).await, echo(2).await];
    let mut region = Region::with(Kind::Network, Protocol::Tcp, group(GROUP, Protocol::Tcp, &targets)).await;
    region.all(TargetState::Healthy).await;
    let mut open = loop {
        let (stream, name) = connect(&region).await;
        if name == 1 {
            break stream;
        }
    };
    region.group().attributes.deregistration_delay_seconds = 2;
    region.group().attributes.connection_termination = true;
    region.group().targets[0].draining_since = Some(Environment::real().now());
    region.apply().await;
    for _ in 0..10 {
        assert_eq!(connect(&region).await.1, 2);
    }
    open.write_all(b"x").await.expect("sends");
    assert_eq!(open.read_u8().await.expect("comes"), b'x');
    assert_eq!(region.target(targets[0].port()).await.state, TargetState::Draining);
    let end = tokio::time::timeout(Duration::from_secs(10), open.read(&mut [0; 10])).await.expect("ends");
    assert!(matches!(end, Ok(0) | Err(_)));
    region.until("it has drained", |report| report.targets[0].state == TargetState::Unused).await;
    region.stop().await;
}

#[tokio::test]
async fn the_proxy_protocol_says_who_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let mut spec = group(GROUP, Protocol::Tcp, &[listener.local_addr().expect("has one")]);
    spec.attributes.proxy_protocol_v2 = true;
    spec.health_check.enabled = false;
    let region = Region::with(Kind::Network, Protocol::Tcp, spec).await;
    let client = TcpStream::connect(region.at()).await.expect("connects");
    let (mut stream, _) = listener.accept().await.expect("comes");
    let mut header = [0; 28];
    stream.read_exact(&mut header).await.expect("comes");
    assert_eq!(&header[..12], b"\r\n\r\n\0\r\nQUIT\n");
    assert_eq!(&header[16..20], [127, 0, 0, 1]);
    assert_eq!(header[24..26], client.local_addr().expect("has one").port().to_be_bytes());
    region.stop().await;
}

#[tokio::test]
async fn tls_ends_here() {
    let target = echo(7).await;
    let mut region = Region::with(Kind::Network, Protocol::Tcp, group(GROUP, Protocol::Tcp, &[target])).await;
    region.listener().protocol = Protocol::Tls;
    region.listener().certificates = vec![certificate("one", &["one.test"])];
    region.listener().alpn = vec!["h2".into()];
    region.apply().await;
    region.all(TargetState::Healthy).await;
    let (mut stream, _) = tls(&region, "one.test", &["h2"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(stream.read_u8().await.expect("says its name"), 7);
    stream.write_all(b"hello").await.expect("sends");
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await.expect("comes");
    assert_eq!(&answer, b"hello");
    region.stop().await;
}

#[tokio::test]
async fn datagrams_of_one_client_go_to_one_target() {
    let mut targets = Vec::new();
    for name in [1u8, 2] {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("binds");
        targets.push(socket.local_addr().expect("has one"));
        tokio::spawn(async move {
            let mut buffer = [0; 2000];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let mut answer = vec![name];
                answer.extend_from_slice(&buffer[..length]);
                let _ = socket.send_to(&answer, from).await;
            }
        });
    }
    let mut spec = group(GROUP, Protocol::Udp, &targets);
    spec.health_check.enabled = false;
    let region = Region::with(Kind::Network, Protocol::Udp, spec).await;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..20 {
        let client = UdpSocket::bind("127.0.0.1:0").await.expect("binds");
        client.connect(region.at()).await.expect("connects");
        let mut first = None;
        for round in 0..3u8 {
            client.send(&[round]).await.expect("sends");
            let mut answer = [0; 10];
            let received = tokio::time::timeout(Duration::from_secs(10), client.recv(&mut answer)).await;
            assert_eq!(received.expect("comes").expect("comes well"), 2);
            assert_eq!(answer[1], round);
            assert_eq!(*first.get_or_insert(answer[0]), answer[0]);
        }
        seen.extend(first);
    }
    assert_eq!(seen.len(), 2);
    let report = region.report().await;
    assert_eq!((report.load_balancers[0].active_connections, report.target_groups[0].requests), (20, 20));
    assert!(report.at > Timestamp::from_seconds(0));
    region.stop().await;
}
