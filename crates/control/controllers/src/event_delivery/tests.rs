//! Deliveries that succeed, fail, are repeated and given up.

use super::*;
use crate::feed::feed;
use environment::{Environment, Simulation, Timestamp};
use parking_lot::Mutex;
use reconcile::Settings;
use resources::events::{Input, RetryPolicy, Target};
use store::{MemoryStore, Tables};
use tokio_util::sync::CancellationToken;

/// Targets that answer as they are told, and remember what they got.
#[derive(Default)]
struct Told {
    answers: Mutex<Vec<Result<(), TargetError>>>,
    got: Mutex<Vec<(String, Timestamp)>>,
    clock: Mutex<Option<Environment>>,
}

#[async_trait::async_trait]
impl Targets for Told {
    async fn invoke(&self, delivery: &Delivery) -> Result<(), TargetError> {
        let now = self.clock.lock().as_ref().map(Environment::now).unwrap_or_default();
        self.got.lock().push((delivery.input.clone(), now));
        self.answers.lock().pop().unwrap_or(Ok(()))
    }
}

struct World {
    outbox: Outbox,
    targets: Arc<Told>,
    clock: Arc<Simulation>,
    controller: EventDelivery,
}

fn world(answers: Vec<Result<(), TargetError>>) -> World {
    let (environment, clock) = Environment::simulated(Timestamp::from_seconds(1_700_000_000), 7);
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    let outbox = Outbox::new(tables, "us-east-1".parse().expect("a region"));
    let targets = Arc::new(Told { answers: Mutex::new(answers), ..Told::default() });
    *targets.clock.lock() = Some(environment);
    let controller = EventDelivery::new(outbox.clone(), targets.clone(), Queue::new());
    World { outbox, targets, clock, controller }
}

fn target(retry: RetryPolicy) -> Target {
    Target {
        id: "t".to_owned(),
        arn: "arn:aws:logs:us-east-1:123456789012:log-group:x".to_owned(),
        role_arn: None,
        input: Input::Event,
        ecs: None,
        http: None,
        event: None,
        retry,
    }
}

async fn put(outbox: &Outbox, input: &str, retry: RetryPolicy) -> String {
    let account = "123456789012".parse().expect("an account");
    let row = outbox.direct(&account, ("arn", "name"), target(retry), input.to_owned());
    outbox.tables().create(row).await.expect("creates").key()
}

fn failed() -> Result<(), TargetError> {
    Err(TargetError::Failed { reason: "down".to_owned(), after: None })
}

impl World {
    /// Runs a key until it is settled; the number of runs.
    async fn settle(&self, key: &String) -> usize {
        for runs in 1..1_000 {
            match self.controller.reconcile(key).await.expect("reconciles") {
                Next::Settled => return runs,
                Next::After(wait) => self.clock.advance(wait),
            }
        }
        panic!("never settled");
    }

    async fn left(&self) -> usize {
        self.outbox.count().await.expect("counts")
    }
}

#[tokio::test]
async fn failures_are_repeated_with_growing_waits_until_it_is_taken() {
    let world = world(vec![Ok(()), failed(), failed(), failed()]);
    let key = put(&world.outbox, "\"a\"", RetryPolicy::default()).await;
    assert_eq!(world.settle(&key).await, 4);
    let times: Vec<Timestamp> = world.targets.got.lock().iter().map(|(_, at)| *at).collect();
    let waits: Vec<u64> = times.windows(2).map(|pair| pair[1].since(pair[0]).as_secs()).collect();
    assert!(waits.is_sorted() && waits[2] >= 3, "{waits:?}");
    assert_eq!(world.left().await, 0);
}

#[tokio::test]
async fn what_is_refused_or_too_old_or_tried_too_often_is_given_up() {
    let world_of_refusals = world(vec![Err(TargetError::Refused("no".to_owned()))]);
    let key = put(&world_of_refusals.outbox, "1", RetryPolicy::default()).await;
    assert_eq!(world_of_refusals.settle(&key).await, 1);
    assert_eq!(world_of_refusals.left().await, 0);

    let world = world((0..500).map(|_| failed()).collect());
    let never = put(&world.outbox, "1", RetryPolicy { attempts: 0, age: 86_400 }).await;
    assert_eq!(world.settle(&never).await, 1);
    let young = put(&world.outbox, "2", RetryPolicy { attempts: 185, age: 60 }).await;
    assert!(world.settle(&young).await < 10);
    let start = world.outbox.tables().environment().now();
    let usual = put(&world.outbox, "3", RetryPolicy::default()).await;
    let runs = world.settle(&usual).await;
    let took = world.outbox.tables().environment().now().since(start);
    assert!((150..=186).contains(&runs), "{runs} attempts");
    assert!(took <= Duration::from_secs(86_400), "{took:?}");
    assert_eq!(world.left().await, 0);
}

#[tokio::test]
async fn a_target_may_ask_for_a_pause() {
    let pause = Err(TargetError::Failed { reason: "busy".to_owned(), after: Some(Duration::from_secs(90)) });
    let world = world(vec![Ok(()), pause]);
    let key = put(&world.outbox, "1", RetryPolicy::default()).await;
    let Next::After(wait) = world.controller.reconcile(&key).await.expect("reconciles") else {
        panic!("settled")
    };
    assert_eq!(wait, Duration::from_secs(90));
    // A run that comes too early does not call.
    assert!(matches!(world.controller.reconcile(&key).await.expect("reconciles"), Next::After(_)));
    assert_eq!(world.targets.got.lock().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_any_time_lose_nothing() {
    let environment = Environment::real();
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    let outbox = Outbox::new(tables.clone(), "us-east-1".parse().expect("a region"));
    let targets = Arc::new(Told::default());
    for index in 0..200 {
        put(&outbox, &index.to_string(), RetryPolicy::default()).await;
    }
    let mut random = [0u8];
    for _ in 0..50 {
        let queue = Queue::new();
        let controller = Arc::new(EventDelivery::new(outbox.clone(), targets.clone(), queue.clone()));
        let stop = CancellationToken::new();
        let running = {
            let (tables, stop, environment) = (tables.clone(), stop.clone(), environment.clone());
            tokio::spawn(async move {
                let settings = Settings { concurrency: 4, ..Settings::named("event_delivery") };
                tokio::join!(
                    feed(tables, stop.clone(), |seen| controller.see(&seen)),
                    reconcile::run(controller.clone(), queue, settings, environment, stop.clone()),
                );
            })
        };
        environment.fill_random(&mut random);
        tokio::time::sleep(Duration::from_micros(u64::from(random[0]) * 20)).await;
        running.abort();
        let _ = running.await;
    }
    // Whatever is left is delivered by a run that nobody kills.
    for row in tables.list_all::<Delivery>("").await.expect("lists") {
        let controller = EventDelivery::new(outbox.clone(), targets.clone(), Queue::new());
        controller.reconcile(&row.key()).await.expect("reconciles");
    }
    let got: std::collections::BTreeSet<String> =
        targets.got.lock().iter().map(|(input, _)| input.clone()).collect();
    assert_eq!(got.len(), 200);
    assert_eq!(outbox.count().await.expect("counts"), 0);
}
