//! One process takes over from another.

use crate::configuring::Load;
use crate::network::{connect, echo};
use crate::support::{GROUP, PORT, Region, Upstream, full, group, program, request, text};
use environment::Environment;
use http::Response;
use load_balancing::{Action, Forward, Kind, Listener, Protocol, TargetState};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_while_processes_take_over() {
    let upstream = Upstream::start(|request| async move {
        if request.uri().path() == "/slow" {
            sleep(Duration::from_secs(3)).await;
        }
        Response::new(full("here"))
    })
    .await;
    let region = Region::application(&[upstream.address]).await;
    region.all(TargetState::Healthy).await;
    let load = Load::start(&region, 8);
    let mut client = region.client().await;
    let first = region.balancers().pid().await.expect("has one");
    let slow =
        tokio::spawn(async move { text(client.send(request("/slow")).await.expect("is answered")).await });
    region.until("it is in progress", |report| report.targets[0].outstanding >= 1).await;
    sleep(Duration::from_millis(100)).await;
    let mut pids = vec![first];
    for _ in 0..5 {
        load.more(100).await;
        region.balancers().replace().await.expect("takes over");
        let pid = region.balancers().pid().await.expect("has one");
        assert!(!pids.contains(&pid));
        pids.push(pid);
        assert!(
            region.report().await.targets.iter().all(|target| target.state == TargetState::Healthy),
            "what is healthy stays so"
        );
    }
    load.more(100).await;
    assert_eq!(slow.await.expect("joins"), "here", "what the first process had in progress came to its end");
    let (good, bad) = load.end().await;
    assert_eq!(bad, 0, "of {good}");
    // Those before end when they have nothing left.
    let deadline = Instant::now() + crate::support::DEADLINE;
    for pid in &pids[..5] {
        while Path::new("/proc").join(pid.to_string()).exists() {
            assert!(Instant::now() < deadline, "process {pid} never ended");
            sleep(Duration::from_millis(20)).await;
        }
    }
    region.stop().await;
}

#[tokio::test]
async fn a_new_file_of_the_program_takes_over_and_the_same_one_does_not() {
    let upstream = Upstream::named("one").await;
    let region = Region::application(&[upstream.address]).await;
    region.all(TargetState::Healthy).await;
    let first = region.balancers().pid().await.expect("has one");
    let directory = region.directory.path().join("lb");
    let same = load_balancer::start(&directory, program(), &Environment::real()).await.expect("finds it");
    assert_eq!(same.pid().await.expect("has one"), first);
    drop(same);
    let copy = region.directory.path().join("new-program");
    std::fs::copy(program(), &copy).expect("copies");
    let new = load_balancer::start(&directory, &copy, &Environment::real()).await.expect("takes over");
    assert_ne!(new.pid().await.expect("has one"), first);
    assert_eq!(region.get("/").await, (200, "one".to_owned()));
    drop(new);
    region.stop().await;
}

#[tokio::test]
async fn connections_and_datagrams_go_on_while_another_process_takes_over() {
    let mut spec = group(GROUP, Protocol::Tcp, &[echo(5).await]);
    spec.health_check.enabled = false;
    let mut region = Region::with(Kind::Network, Protocol::Tcp, spec).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("binds");
    let mut datagrams = group("datagrams", Protocol::Udp, &[socket.local_addr().expect("has one")]);
    datagrams.health_check.enabled = false;
    tokio::spawn(async move {
        let mut buffer = [0; 100];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let _ = socket.send_to(&buffer[..length], from).await;
        }
    });
    region.configuration.target_groups.push(datagrams);
    let to_datagrams = Action::Forward(Forward::to("datagrams"));
    region.configuration.load_balancers[0].listeners.push(Listener::new(
        "datagrams",
        Protocol::Udp,
        PORT,
        to_datagrams,
    ));
    region.apply().await;

    let (mut stream, _) = connect(&region).await;
    let client = UdpSocket::bind("127.0.0.1:0").await.expect("binds");
    client.connect(region.at()).await.expect("connects");
    for round in 0..4u8 {
        stream.write_all(&[round]).await.expect("sends");
        assert_eq!(stream.read_u8().await.expect("comes"), round);
        assert_eq!(connect(&region).await.1, 5);
        client.send(&[round]).await.expect("sends");
        let mut answer = [0; 10];
        let received = tokio::time::timeout(Duration::from_secs(10), client.recv(&mut answer)).await;
        assert_eq!((received.expect("comes").expect("comes well"), answer[0]), (1, round));
        region.balancers().replace().await.expect("takes over");
    }
    region.stop().await;
}
