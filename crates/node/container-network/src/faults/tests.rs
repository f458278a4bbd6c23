//! Faults between two tasks on a host of their own, as in the tests of networks. They need root.

use super::*;
use crate::network::tests::{config, inside, on_a_host, open, task};
use crate::network::{Network, NetworkNamespace};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait for what must not come.
const SILENCE: Duration = Duration::from_millis(400);

fn range(text: &str) -> Range {
    text.parse().expect("a range")
}

fn blackhole(traffic: Traffic, number: u16, spared: &[&str]) -> Fault {
    let port = Port { traffic, protocol: Protocol::Tcp, number };
    Fault::BlackholePort { port, spared: spared.iter().map(|text| range(text)).collect() }
}

/// Whether a task reaches an address; when it must not, waiting is in vain.
fn reaches(from: &NetworkNamespace, to: &str, waiting: Duration) -> bool {
    let to: SocketAddr = to.parse().expect("an address");
    match inside(&from.path, move || TcpStream::connect_timeout(&to, waiting)) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::TimedOut, "swallowed, not refused: {error}");
            false
        }
    }
}

async fn two(network: &Network) -> (NetworkNamespace, NetworkNamespace) {
    let one = network.attach(&task("one", "10.88.0.7")).await.expect("attaches");
    let two = network.attach(&task("two", "10.88.0.8")).await.expect("attaches");
    (one, two)
}

async fn remove(network: &Network) {
    for id in ["one", "two"] {
        network.detach(id).await.expect("detaches");
    }
    network.stop().await.expect("stops");
}

#[test]
fn ranges_are_addresses_and_blocks_of_both_families() {
    for (text, shown) in [
        ("10.0.0.1", "ip daddr 10.0.0.1/32"),
        ("10.0.0.1/8", "ip daddr 10.0.0.1/8"),
        ("0.0.0.0/0", "ip daddr 0.0.0.0/0"),
        ("fd00::1", "ip6 daddr fd00::1/128"),
        ("::/0", "ip6 daddr ::/0"),
    ] {
        assert_eq!(range(text).matches("daddr"), shown);
    }
    for wrong in ["", "example.com", "10.0.0.1/33", "10.0.0.1/x", "::/129", "10.0.0"] {
        assert!(wrong.parse::<Range>().is_err(), "{wrong}");
    }
}

#[test]
fn a_port_swallows_what_goes_there_until_it_is_stopped() {
    on_a_host(|directory| async move {
        let network = open(config("lsa", "10.88.0.0/16", &directory)).await;
        let (one, two) = two(&network).await;
        let listening: Vec<TcpListener> = [8080, 8081]
            .map(|port| inside(&two.path, move || TcpListener::bind(("0.0.0.0", port)).expect("binds")))
            .into();
        let fault = blackhole(Traffic::Ingress, 8080, &[]);
        assert!(!network.has_fault("two", fault.name()).await.expect("asks"));
        network.stop_fault("two", fault.name()).await.expect("stops what does not run");
        for _ in 0..2 {
            network.start_fault("two", fault.clone()).await.expect("starts, and starts again");
        }
        assert!(network.has_fault("two", fault.name()).await.expect("asks"));
        assert!(!reaches(&one, "10.88.0.8:8080", SILENCE));
        assert!(!reaches(&two, "127.0.0.1:8080", SILENCE), "not even from itself");
        assert!(reaches(&one, "10.88.0.8:8081", PATIENCE), "another port");
        // Another fault beside it, of the way out of the other task, spares an address.
        let other = blackhole(Traffic::Egress, 8081, &["10.88.0.8"]);
        network.start_fault("one", other.clone()).await.expect("starts");
        assert!(reaches(&one, "10.88.0.8:8081", PATIENCE));
        network.stop_fault("one", other.name()).await.expect("stops");
        network.start_fault("one", blackhole(Traffic::Egress, 8081, &["10.88.0.9"])).await.expect("starts");
        assert!(!reaches(&one, "10.88.0.8:8081", SILENCE));
        network.stop_fault("two", fault.name()).await.expect("stops");
        assert!(reaches(&one, "10.88.0.8:8080", PATIENCE));
        // One that spares who asks.
        network
            .start_fault("two", blackhole(Traffic::Ingress, 8080, &["10.88.0.0/24"]))
            .await
            .expect("starts");
        assert!(reaches(&one, "10.88.0.8:8080", PATIENCE));
        assert!(!reaches(&two, "127.0.0.1:8080", SILENCE));
        drop(listening);
        remove(&network).await;
    });
}

#[test]
fn a_part_of_what_is_sent_gets_lost() {
    on_a_host(|directory| async move {
        let network = open(config("lsa", "10.88.0.0/16", &directory)).await;
        let (one, two) = two(&network).await;
        let receiver = inside(&two.path, || UdpSocket::bind("10.88.0.8:9000").expect("binds"));
        receiver.set_nonblocking(false).expect("sets");
        let received = |patience: Duration, sent: usize| {
            receiver.set_read_timeout(Some(patience)).expect("sets");
            let mut buffer = [0; 16];
            (0..sent).take_while(|_| receiver.recv(&mut buffer).is_ok()).count()
        };
        let send = |count: usize| {
            inside(&one.path, move || {
                let socket = UdpSocket::bind("10.88.0.7:0").expect("binds");
                for _ in 0..count {
                    socket.send_to(b"x", "10.88.0.8:9000").expect("a loss is no error of the sender");
                }
            });
        };
        send(1);
        assert_eq!(received(PATIENCE, 1), 1);
        let loss = |percent, spared: &[&str]| Fault::PacketLoss {
            percent,
            towards: vec![range("10.88.0.8"), range("10.88.0.0/16")],
            spared: spared.iter().map(|text| range(text)).collect(),
        };
        network.start_fault("one", loss(100, &[])).await.expect("starts");
        assert!(network.has_fault("one", FaultName::PacketLoss).await.expect("asks"));
        send(10);
        assert_eq!(received(SILENCE, 10), 0);
        network.stop_fault("one", FaultName::PacketLoss).await.expect("stops");
        assert!(!network.has_fault("one", FaultName::PacketLoss).await.expect("asks"));
        network.start_fault("one", loss(50, &[])).await.expect("starts");
        send(200);
        let arrived = received(SILENCE, 200);
        // Within six standard deviations.
        assert!((57..=143).contains(&arrived), "{arrived} of 200");
        network.stop_fault("one", FaultName::PacketLoss).await.expect("stops");
        network.start_fault("one", loss(100, &["10.88.0.8"])).await.expect("starts");
        send(10);
        assert_eq!(received(PATIENCE, 10), 10, "what is spared");
        drop(receiver);
        remove(&network).await;
    });
}

#[test]
fn what_is_sent_takes_longer_where_the_kernel_can_delay() {
    on_a_host(|directory| async move {
        let network = open(config("lsa", "10.88.0.0/16", &directory)).await;
        let (one, two) = two(&network).await;
        let listening = inside(&two.path, || TcpListener::bind("0.0.0.0:8080").expect("binds"));
        let fault = Fault::Latency {
            delay: Duration::from_millis(300),
            jitter: Duration::from_millis(10),
            towards: vec![range("10.88.0.8")],
            spared: vec![],
        };
        let started = network.start_fault("one", fault).await;
        if let Some(why) = delay_unavailable() {
            let error = started.expect_err("this kernel cannot");
            assert!(matches!(error, NetworkError::Netlink { .. }), "{error:?} {why}");
            assert!(!network.has_fault("one", FaultName::Latency).await.expect("asks"), "nothing stays");
        } else {
            started.expect("starts");
            let connecting = std::time::Instant::now();
            assert!(reaches(&one, "10.88.0.8:8080", PATIENCE));
            assert!(connecting.elapsed() >= Duration::from_millis(290));
            network.stop_fault("one", FaultName::Latency).await.expect("stops");
            let connecting = std::time::Instant::now();
            assert!(reaches(&one, "10.88.0.8:8080", PATIENCE));
            assert!(connecting.elapsed() < Duration::from_millis(290));
        }
        drop(listening);
        remove(&network).await;
    });
}
