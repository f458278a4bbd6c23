//! Schedules that come due, once each, whenever the controller is killed.

use super::*;
use environment::{Environment, Simulation};
use resources::events::{RetryPolicy, Target};
use std::sync::Arc;
use store::MemoryStore;

const START: Timestamp = Timestamp::from_seconds(1_704_067_200);
const KEY: &str = "123456789012/default/s";

struct World {
    outbox: Outbox,
    clock: Arc<Simulation>,
}

fn schedule(expression: &str) -> Schedule {
    Schedule {
        account: "123456789012".parse().expect("an account"),
        group: "default".to_owned(),
        name: "s".to_owned(),
        expression: expression.to_owned(),
        zone: None,
        start: None,
        end: None,
        window: None,
        delete_after: false,
        enabled: true,
        description: None,
        target: Target {
            id: "target".to_owned(),
            arn: "arn:aws:events:us-east-1:123456789012:event-bus/default".to_owned(),
            role_arn: None,
            input: Input::Constant(r#"{"at":"<aws.scheduler.scheduled-time>"}"#.to_owned()),
            ecs: None,
            http: None,
            event: None,
            retry: RetryPolicy::default(),
        },
        client_token: None,
        created_at: START,
        modified_at: START,
        scheduled_from: START,
        fired: None,
    }
}

impl World {
    async fn new(schedule: Schedule) -> Self {
        let (environment, clock) = Environment::simulated(START, 5);
        let tables = Tables::new(MemoryStore::new(environment.clone()), environment);
        tables.create(schedule).await.expect("creates");
        Self { outbox: Outbox::new(tables, "us-east-1".parse().expect("a region")), clock }
    }

    /// A controller that was just started.
    async fn run(&self) -> Next {
        let controller = ScheduleController::new(self.outbox.clone(), Queue::new());
        controller.reconcile(&KEY.to_owned()).await.expect("reconciles")
    }

    async fn after(&self, seconds: u64) -> Vec<String> {
        self.clock.advance(Duration::from_secs(seconds));
        self.run().await;
        self.run().await;
        let rows = self.outbox.tables().list_all::<Delivery>("").await.expect("lists");
        rows.iter().map(|row| row.input.clone()).collect()
    }

    async fn exists(&self) -> bool {
        self.outbox.tables().get::<Schedule>(KEY).await.expect("reads").is_some()
    }
}

#[tokio::test]
async fn once_and_then_gone() {
    let world = World::new(Schedule { delete_after: true, ..schedule("at(2024-01-01T00:10:00)") }).await;
    assert!(world.after(599).await.is_empty());
    assert_eq!(world.after(1).await, [r#"{"at":"2024-01-01T00:10:00Z"}"#]);
    assert!(!world.exists().await);
    assert_eq!(world.after(3_600).await.len(), 1);
}

#[tokio::test]
async fn once_and_kept() {
    let world = World::new(schedule("at(2024-01-01T00:10:00)")).await;
    assert_eq!(world.after(700).await.len(), 1);
    assert_eq!(world.after(3_600).await.len(), 1);
    assert!(world.exists().await);
}

#[tokio::test]
async fn rates_keep_to_their_dates() {
    let limited = Schedule {
        start: Some(START + Duration::from_secs(3_600)),
        end: Some(START + Duration::from_secs(3_600 + 130)),
        delete_after: true,
        ..schedule("rate(1 minute)")
    };
    let world = World::new(limited).await;
    assert!(world.after(3_599).await.is_empty());
    assert_eq!(world.after(1).await.len(), 1, "the first time is the start");
    assert_eq!(world.after(60).await.len(), 2);
    assert!(world.exists().await);
    assert_eq!(world.after(60).await.len(), 3);
    assert!(!world.exists().await, "nothing comes before the end");
}

#[tokio::test]
async fn zones_count() {
    let zoned = Schedule { zone: Some("America/New_York".to_owned()), ..schedule("cron(0 9 * * ? *)") };
    let world = World::new(zoned).await;
    assert!(world.after(13 * 3_600).await.is_empty());
    assert_eq!(world.after(3_600).await, [r#"{"at":"2024-01-01T14:00:00Z"}"#]);
}

#[tokio::test]
async fn missed_times_come_late_within_the_retry_policy() {
    let world = World::new(schedule("at(2024-01-01T00:10:00)")).await;
    assert_eq!(world.after(20 * 3_600).await.len(), 1);
    let mut impatient = schedule("at(2024-01-01T00:10:00)");
    impatient.target.retry.age = 60;
    let world = World::new(impatient).await;
    assert!(world.after(3_600).await.is_empty());
    let world = World::new(schedule("rate(1 minute)")).await;
    assert_eq!(world.after(3_630).await, [r#"{"at":"2024-01-01T01:00:00Z"}"#]);
}

#[tokio::test]
async fn a_window_delays_and_off_is_off() {
    let world = World::new(Schedule { window: Some(10), ..schedule("at(2024-01-01T00:10:00)") }).await;
    world.after(600).await;
    let rows = world.outbox.tables().list_all::<Delivery>("").await.expect("lists");
    let delay = rows[0].next_at.since(START + Duration::from_secs(600));
    assert!(delay < Duration::from_secs(600), "{delay:?}");
    let world = World::new(Schedule { enabled: false, ..schedule("rate(1 minute)") }).await;
    assert!(world.after(3_600).await.is_empty());
}

#[tokio::test]
async fn a_group_goes_with_its_schedules() {
    let world = World::new(schedule("rate(1 minute)")).await;
    let tables = world.outbox.tables();
    let group = ScheduleGroup {
        account: "123456789012".parse().expect("an account"),
        name: "g".to_owned(),
        tags: vec![],
        deleting: true,
        client_token: None,
        created_at: START,
        modified_at: START,
    };
    tables.create(group).await.expect("creates");
    for index in 0..1_200 {
        let (group, name) = ("g".to_owned(), format!("s{index}"));
        tables.create(Schedule { group, name, ..schedule("rate(1 minute)") }).await.expect("creates");
    }
    remove_marked(tables).await.expect("removes");
    assert_eq!(tables.list_all::<Schedule>("").await.expect("lists").len(), 1);
    assert!(tables.list_all::<ScheduleGroup>("").await.expect("lists").is_empty());
}
