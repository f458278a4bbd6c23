//! Configurations, and the process that keeps them.

use crate::support::{Client, DEADLINE, GROUP, Region, Upstream, group, own_address, request, text};
use load_balancing::{Action, FixedResponse, Forward, Listener, Protocol, TargetState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Clients that ask all the time, and count what goes wrong.
pub struct Load {
    pub good: Arc<AtomicUsize>,
    pub bad: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    pub fn start(region: &Region, clients: usize) -> Self {
        let (good, bad, over) = (Arc::default(), Arc::default(), Arc::default());
        let mut load = Self { good, bad, over, tasks: Vec::new() };
        for _ in 0..clients {
            let (good, bad, over) = (load.good.clone(), load.bad.clone(), load.over.clone());
            let at = region.at();
            load.tasks.push(tokio::spawn(async move {
                let mut client: Option<Client> = None;
                while !over.load(SeqCst) {
                    let mut at_work = match client.take() {
                        Some(client) => client,
                        None => Client::connect(at).await,
                    };
                    match at_work.send(request("/")).await {
                        Ok(response) if response.status() == 200 => {
                            // A client that is told so goes and comes back by another connection.
                            let stays =
                                response.headers().get("connection").is_none_or(|value| value != "close");
                            let text = text(response).await;
                            assert!(!text.is_empty());
                            good.fetch_add(1, SeqCst);
                            client = stays.then_some(at_work);
                        }
                        Ok(response) => {
                            eprintln!("answered {}", response.status());
                            bad.fetch_add(1, SeqCst);
                        }
                        Err(error) => {
                            eprintln!("not answered: {error:?}");
                            bad.fetch_add(1, SeqCst);
                        }
                    }
                }
            }));
        }
        load
    }

    /// Waits until so many more requests have been answered.
    pub async fn more(&self, count: usize) {
        let (from, deadline) = (self.good.load(SeqCst), Instant::now() + DEADLINE);
        while self.good.load(SeqCst) < from + count {
            assert!(Instant::now() < deadline, "the load has stopped");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends it; says how many were answered and how many were not.
    pub async fn end(self) -> (usize, usize) {
        self.over.store(true, SeqCst);
        for task in self.tasks {
            task.await.expect("ends well");
        }
        (self.good.load(SeqCst), self.bad.load(SeqCst))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_while_configurations_and_targets_change() {
    let mut region = Region::application(&[Upstream::named("0").await.address]).await;
    region.all(TargetState::Healthy).await;
    let load = Load::start(&region, 8);
    for round in 0..15u64 {
        load.more(50).await;
        // The deployment of a service: a new target comes, and when it is healthy the old one goes.
        let new = Upstream::named("next").await;
        region.configuration.revision += 1;
        region.group().targets.push(crate::support::target(new.address));
        region.listener().response_headers = vec![("x-round".into(), round.to_string())];
        region.apply().await;
        let port = new.address.port();
        region
            .until("the new one is healthy", |report| {
                report
                    .targets
                    .iter()
                    .any(|target| target.port == port && target.state == TargetState::Healthy)
            })
            .await;
        region.group().targets[0].draining_since = Some(environment::Environment::real().now());
        region.apply().await;
        region
            .until("the old one has drained", |report| report.targets[0].state == TargetState::Unused)
            .await;
        region.group().targets.remove(0);
        region.apply().await;
    }
    let revision = region.configuration.revision;
    assert_eq!(region.report().await.revision, revision);
    let (good, bad) = load.end().await;
    assert_eq!(bad, 0, "of {good}");
    region.stop().await;
}

#[tokio::test]
async fn a_listener_comes_and_goes() {
    let upstream = Upstream::named("one").await;
    let mut region = Region::application(&[upstream.address]).await;
    region.all(TargetState::Healthy).await;
    let fixed = |body: &str| {
        Action::FixedResponse(FixedResponse { status: 200, content_type: None, body: Some(body.into()) })
    };
    let port = crate::support::PORT + 1;
    let listeners = &mut region.configuration.load_balancers[0].listeners;
    listeners.push(Listener::new("second", Protocol::Http, port, fixed("second")));
    region.apply().await;
    let at = (region.address, port).into();
    let mut client = Client::connect(at).await;
    assert_eq!(text(client.send(request("/")).await.expect("is answered")).await, "second");
    // Another listener at the same place: the connection ends with its next answer, new ones are for the new one.
    region.configuration.load_balancers[0].listeners[1] =
        Listener::new("third", Protocol::Http, port, fixed("third"));
    region.apply().await;
    let response = client.send(request("/")).await.expect("is answered");
    assert_eq!(response.headers()["connection"], "close");
    assert_eq!(text(response).await, "second");
    let mut client = Client::connect(at).await;
    assert_eq!(text(client.send(request("/")).await.expect("is answered")).await, "third");
    region.configuration.load_balancers[0].listeners.pop();
    region.apply().await;
    assert!(tokio::net::TcpStream::connect(at).await.is_err());
    assert_eq!(region.get("/").await.1, "one");
    region.stop().await;
}

#[tokio::test]
async fn what_cannot_be_done_is_said_and_tried_again() {
    let upstream = Upstream::named("one").await;
    let mut region = Region::application(&[upstream.address]).await;
    let taken = std::net::TcpListener::bind((own_address(), 9000)).expect("binds");
    let place = taken.local_addr().expect("has one");
    region.configuration.load_balancers[0].addresses.push(place.ip());
    region.listener().port = 9000;
    region.balancers().apply(&region.configuration).await.expect("applies");
    let report = region.report().await;
    let error = report.listeners[0].error.as_deref().expect("cannot listen");
    assert!(error.contains("cannot listen on") && error.contains("9000"), "{error}");
    drop(taken);
    region.until("it listens", |report| report.listeners[0].error.is_none()).await;
    // A certificate that is none.
    region.listener().protocol = Protocol::Https;
    region.balancers().apply(&region.configuration).await.expect("applies");
    let report = region.report().await;
    assert!(
        report.listeners[0].error.as_deref().is_some_and(|error| error.contains("certificate")),
        "{report:?}"
    );
    region.stop().await;
}

#[tokio::test]
async fn a_process_that_is_killed_comes_back_with_its_configuration() {
    let upstream = Upstream::named("one").await;
    let region = Region::application(&[upstream.address]).await;
    region.all(TargetState::Healthy).await;
    let pid = region.balancers().pid().await.expect("has one");
    let process = rustix::process::Pid::from_raw(pid as i32).expect("is one");
    rustix::process::kill_process(process, rustix::process::Signal::KILL).expect("is killed");
    let deadline = Instant::now() + DEADLINE;
    while region.balancers().pid().await.map_or(true, |now| now == pid) {
        assert!(Instant::now() < deadline, "it never came back");
        sleep(Duration::from_millis(20)).await;
    }
    // What was healthy is so before it is checked anew.
    assert_eq!(region.get("/").await, (200, "one".to_owned()));
    assert_eq!(region.report().await.revision, 1);
    region.stop().await;
}

#[tokio::test]
async fn groups_that_nobody_uses_say_so() {
    let upstream = Upstream::named("one").await;
    let mut region = Region::application(&[upstream.address]).await;
    region.configuration.target_groups.push(group("unused", Protocol::Http, &[upstream.address]));
    region.apply().await;
    let report = region.until("the used one is healthy", |report| {
        report
            .targets
            .iter()
            .any(|target| target.target_group == GROUP && target.state == TargetState::Healthy)
    });
    let unused =
        report.await.targets.into_iter().find(|target| target.target_group == "unused").expect("is there");
    assert_eq!(unused.state, TargetState::Unused);
    region.listener().default_action = Action::Forward(Forward::to("unused"));
    region.apply().await;
    region
        .until("they change places", |report| {
            report
                .targets
                .iter()
                .all(|target| (target.target_group == GROUP) == (target.state == TargetState::Unused))
        })
        .await;
    region.stop().await;
}
