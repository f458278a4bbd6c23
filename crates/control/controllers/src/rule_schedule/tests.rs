//! Times that come, are missed, and come once.

use super::*;
use environment::{Environment, Simulation};
use resources::events::{DEFAULT_BUS, Delivery, Input, RetryPolicy, Target};
use std::sync::Arc;
use store::{MemoryStore, Tables};

struct World {
    outbox: Outbox,
    clock: Arc<Simulation>,
    rule: Versioned<Rule>,
}

const START: Timestamp = Timestamp::from_seconds(1_700_000_000);

async fn world(schedule: &str) -> World {
    let (environment, clock) = Environment::simulated(START, 3);
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment);
    let outbox = Outbox::new(tables.clone(), "us-east-1".parse().expect("a region"));
    let target = Target {
        id: "t".to_owned(),
        arn: "arn:aws:logs:us-east-1:123456789012:log-group:x".to_owned(),
        role_arn: None,
        input: Input::Event,
        ecs: None,
        http: None,
        event: None,
        retry: RetryPolicy::default(),
    };
    let rule = Rule {
        account: "123456789012".parse().expect("an account"),
        bus: DEFAULT_BUS.to_owned(),
        name: "r".to_owned(),
        pattern: None,
        schedule: Some(schedule.to_owned()),
        scheduled_from: START,
        enabled: true,
        all_management_events: false,
        description: None,
        role_arn: None,
        tags: vec![],
        targets: vec![target],
        created_by: String::new(),
    };
    let rule = tables.create(rule).await.expect("creates");
    World { outbox, clock, rule }
}

impl World {
    /// A controller that was just started, as after a kill.
    async fn run(&self) -> Next {
        let controller = RuleSchedule::new(self.outbox.clone(), Queue::new());
        controller.reconcile(&self.rule.key()).await.expect("reconciles")
    }

    async fn made(&self) -> Vec<String> {
        let rows = self.outbox.tables().list_all::<Delivery>("").await.expect("lists");
        let time = |row: &Versioned<Delivery>| {
            let event: serde_json::Value = serde_json::from_str(&row.input).expect("JSON");
            assert_eq!(event["detail-type"], "Scheduled Event");
            event["time"].as_str().expect("a time").to_owned()
        };
        rows.iter().map(time).collect()
    }
}

#[tokio::test]
async fn a_rate_fires_once_for_each_time_however_often_it_is_looked_at() {
    let world = world("rate(1 minute)").await;
    assert_eq!(world.run().await, Next::After(Duration::from_secs(60)));
    for minute in 1..=5 {
        world.clock.advance(Duration::from_secs(60));
        world.run().await;
        assert_eq!(world.run().await, Next::After(Duration::from_secs(60)));
        assert_eq!(world.made().await.len(), minute);
    }
}

#[tokio::test]
async fn missed_times_are_made_up_for_once() {
    let world = world("rate(5 minutes)").await;
    world.clock.advance(Duration::from_secs(3 * 3_600 + 30));
    world.run().await;
    assert_eq!(world.made().await, [(START + Duration::from_secs(3 * 3_600)).to_rfc3339_seconds()]);
}

#[tokio::test]
async fn what_is_older_than_a_day_is_not_made_up_for() {
    let world = world("cron(0 0 1 1 ? 2024)").await;
    let due = Timestamp::parse_rfc3339("2024-01-01T00:00:00Z").expect("a time");
    world.clock.advance(due.since(START) + 2 * DAY);
    assert_eq!(world.run().await, Next::Settled);
    assert!(world.made().await.is_empty());
}

#[tokio::test]
async fn a_rule_that_is_switched_off_or_gone_leaves_nothing() {
    let world = world("rate(1 minute)").await;
    world.clock.advance(Duration::from_secs(60));
    world.run().await;
    let tables = world.outbox.tables();
    assert_eq!(tables.list_all::<RuleClock>("").await.expect("lists").len(), 1);
    let off = Rule { enabled: false, ..(*world.rule.value).clone() };
    let off = tables.replace(&world.rule, off).await.expect("replaces");
    world.clock.advance(Duration::from_secs(600));
    assert_eq!(world.run().await, Next::Settled);
    tables.delete(&off).await.expect("deletes");
    world.run().await;
    assert!(tables.list_all::<RuleClock>("").await.expect("lists").is_empty());
    assert_eq!(world.made().await.len(), 1);
}
