//! Endpoints of tasks on a host of their own, as in the tests of networks. They need root.

use crate::network::tests::{config, inside, on_a_host, open, output, task};
use crate::network::{Network, NetworkNamespace};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait for an answer that must not come.
const SILENCE: Duration = Duration::from_millis(700);

/// Answers one connection with a text.
fn answer_one(listener: &TcpListener, text: &'static str) -> std::thread::JoinHandle<Ipv4Addr> {
    let listener = listener.try_clone().expect("copies");
    listener.set_nonblocking(false).expect("sets");
    std::thread::spawn(move || {
        let (mut stream, peer) = listener.accept().expect("accepts");
        stream.write_all(text.as_bytes()).expect("writes");
        let SocketAddr::V4(peer) = peer else { panic!("not IPv4") };
        *peer.ip()
    })
}

fn read_endpoint(connecting: Duration) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&super::ENDPOINT.into(), connecting)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// What a task reads that is answered; a lost packet is sent again after a second.
fn answer_to(task: &NetworkNamespace) -> String {
    inside(&task.path, || read_endpoint(PATIENCE)).expect("reads")
}

/// What a task sees that should see nothing.
fn seen_from(task: &NetworkNamespace) -> std::io::Result<String> {
    inside(&task.path, || read_endpoint(SILENCE))
}

#[test]
fn each_task_has_its_own_and_nobody_else_reaches_it() {
    on_a_host(|directory| async move {
        let network = open(config("lsa", "10.88.0.0/16", &directory)).await;
        let one = network.attach(&task("one", "10.88.0.7")).await.expect("attaches");
        let two = network.attach(&task("two", "10.88.0.8")).await.expect("attaches");
        let unreachable = seen_from(&one).expect_err("there is nothing yet");
        assert!(matches!(unreachable.kind(), ErrorKind::HostUnreachable), "{unreachable:?}");

        let first = network.endpoint("one", one.address).await.expect("opens");
        let second = network.endpoint("two", two.address).await.expect("opens");
        for (listener, task, text) in [(&first, &one, "first"), (&second, &two, "second")] {
            let served = answer_one(listener, text);
            assert_eq!(answer_to(task), text);
            assert_eq!(served.join().expect("served"), task.address);
        }
        // A program of the task may have port 80 of every address.
        inside(&one.path, || TcpListener::bind("0.0.0.0:80").map(drop).expect("binds"));

        // From the machine, directly and by way of a task.
        assert!(read_endpoint(SILENCE).is_err());
        output("ip", &["route", "add", "169.254.170.2", "via", "10.88.0.7", "dev", "lsa"]);
        assert!(read_endpoint(SILENCE).is_err());
        // From another task by way of the first, once its own endpoint is closed.
        drop(second);
        assert!(seen_from(&two).is_err());
        inside(&two.path, || {
            output("ip", &["route", "del", "169.254.170.2"]);
            output("ip", &["route", "add", "169.254.170.2", "via", "10.88.0.7"]);
        });
        assert!(seen_from(&two).is_err());
        // With an address of the first task's as its source, too.
        inside(&two.path, || {
            output("ip", &["addr", "add", "10.88.0.7/32", "dev", "eth0"]);
            let first = ["neigh", "add", "10.88.9.9", "lladdr", "0a:58:0a:58:00:07", "dev", "eth0"];
            output("ip", &first);
            output("ip", &["route", "replace", "169.254.170.2", "via", "10.88.9.9", "src", "10.88.0.7"]);
        });
        assert!(seen_from(&two).is_err());
        first.set_nonblocking(true).expect("sets");
        assert_eq!(first.accept().expect_err("nobody came through").kind(), ErrorKind::WouldBlock);

        network.detach("one").await.expect("detaches");
        network.detach("two").await.expect("detaches");
        assert!(network.stop().await.expect("stops"));
    });
}

#[test]
fn it_is_opened_again_by_the_next_agent_and_by_the_same() {
    on_a_host(|directory| async move {
        let settings = config("lsa", "10.88.0.0/16", &directory);
        let first = open(settings.clone()).await;
        let one = first.attach(&task("one", "10.88.0.7")).await.expect("attaches");
        let old = first.endpoint("one", one.address).await.expect("opens");
        let again = first.endpoint("one", one.address).await.expect("opens again");
        drop(old);
        let served = answer_one(&again, "again");
        assert_eq!(answer_to(&one), "again");
        served.join().expect("served");
        drop((first, again));
        // The name server's port is free a moment later.
        let mut attempts = 0;
        let second = loop {
            match Network::start(settings.clone()).await {
                Ok(network) => break network,
                Err(error) => assert!(attempts < 1000, "{error:?}"),
            }
            attempts += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let listener = second.endpoint("one", one.address).await.expect("opens");
        let served = answer_one(&listener, "second");
        assert_eq!(answer_to(&one), "second");
        served.join().expect("served");
        second.detach("one").await.expect("detaches");
        assert!(second.stop().await.expect("stops"));
    });
}

#[test]
fn credentials_of_the_machine_are_out_of_reach() {
    on_a_host(|directory| async move {
        let network = open(config("lsa", "10.88.0.0/16", &directory)).await;
        // A machine of a cloud, or one with an agent of its own.
        output("ip", &["addr", "add", "169.254.169.254/32", "dev", "lo"]);
        output("ip", &["addr", "add", "169.254.170.2/32", "dev", "lo"]);
        let machine = TcpListener::bind("0.0.0.0:80").expect("binds");
        machine.set_nonblocking(true).expect("sets");
        let one = network.attach(&task("one", "10.88.0.7")).await.expect("attaches");
        let reached = |address: &'static str| {
            inside(&one.path, move || {
                TcpStream::connect_timeout(&address.parse().expect("an address"), SILENCE)
            })
        };
        for address in ["169.254.169.254:80", "169.254.170.2:80"] {
            assert_eq!(reached(address).expect_err("is closed").kind(), ErrorKind::HostUnreachable);
        }
        // Whatever a task does to its routes, the machine drops it.
        inside(&one.path, || {
            output("ip", &["route", "replace", "169.254.0.0/16", "via", "10.88.0.1", "dev", "eth0"]);
        });
        for address in ["169.254.169.254:80", "169.254.170.2:80"] {
            assert_eq!(reached(address).expect_err("is dropped").kind(), ErrorKind::TimedOut);
        }
        // The machine itself is not cut off.
        TcpStream::connect_timeout(&"169.254.169.254:80".parse().expect("an address"), PATIENCE)
            .expect("connects");
        network.detach("one").await.expect("detaches");
        assert!(network.stop().await.expect("stops"));
    });
}

#[test]
fn how_long_it_takes() {
    on_a_host(|directory| async move {
        let network = open(config("lsa", "10.88.0.0/16", &directory)).await;
        let mut times = Vec::new();
        let mut listeners = Vec::new();
        for number in 0..12u8 {
            let id = format!("t{number}");
            let address = Ipv4Addr::new(10, 88, 1, number + 2);
            network.attach(&task(&id, &address.to_string())).await.expect("attaches");
            let begun = std::time::Instant::now();
            listeners.push(network.endpoint(&id, address).await.expect("opens"));
            times.push(begun.elapsed());
        }
        times.sort();
        println!("opened in {:?} at the median, {:?} to {:?}", times[6], times[0], times[11]);
        for number in 0..12 {
            network.detach(&format!("t{number}")).await.expect("detaches");
        }
        assert!(network.stop().await.expect("stops"));
    });
}
