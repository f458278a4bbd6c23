//! Which rules get which events.

use super::*;
use environment::Environment;
use resources::events::RetryPolicy;
use serde_json::json;
use store::MemoryStore;

fn outbox() -> Outbox {
    let (environment, _) = Environment::simulated(Timestamp::from_seconds(1_700_000_000), 1);
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment);
    Outbox::new(tables, "us-east-1".parse().expect("a region"))
}

fn account() -> AccountId {
    "123456789012".parse().expect("an account")
}

fn target(id: &str, input: Input) -> Target {
    Target {
        id: id.to_owned(),
        arn: "arn:aws:logs:us-east-1:123456789012:log-group:/aws/events/x".to_owned(),
        role_arn: None,
        input,
        ecs: None,
        http: None,
        event: None,
        retry: RetryPolicy::default(),
    }
}

fn rule(name: &str, pattern: &str) -> Rule {
    Rule {
        account: account(),
        bus: DEFAULT_BUS.to_owned(),
        name: name.to_owned(),
        pattern: Some(pattern.to_owned()),
        schedule: None,
        scheduled_from: Timestamp::default(),
        enabled: true,
        all_management_events: false,
        description: None,
        role_arn: None,
        tags: vec![],
        targets: vec![target("a", Input::Event), target("b", Input::Path("$.detail.x".to_owned()))],
        created_by: "123456789012".to_owned(),
    }
}

fn event() -> Event {
    Event {
        account: account(),
        id: "e".to_owned(),
        source: "my.app".to_owned(),
        detail_type: "happened".to_owned(),
        time: Timestamp::from_seconds(1),
        region: "us-east-1".to_owned(),
        resources: vec![],
        detail: json!({"x": 7}),
    }
}

#[tokio::test]
async fn each_target_of_each_matching_rule_gets_a_row() {
    let outbox = outbox();
    let tables = outbox.tables().clone();
    assert!(!outbox.is_listened_to(&account()).await.expect("reads"));
    assert!(outbox.deliveries(DEFAULT_BUS, &event()).await.expect("reads").is_empty());
    let matching = tables.create(rule("matching", r#"{"source":["my.app"]}"#)).await.expect("creates");
    tables.create(rule("other", r#"{"source":["your.app"]}"#)).await.expect("creates");
    tables.create(Rule { enabled: false, ..rule("off", r#"{"source":["my.app"]}"#) }).await.expect("creates");
    assert!(outbox.is_listened_to(&account()).await.expect("reads"));
    let rows = outbox.deliveries(DEFAULT_BUS, &event()).await.expect("reads");
    let inputs: Vec<&str> = rows.iter().map(|row| row.input.as_str()).collect();
    assert_eq!(inputs, [&event().document().to_string(), "7"]);
    assert_eq!(rows[0].source_arn, "arn:aws:events:us-east-1:123456789012:rule/matching");
    assert!(outbox.deliveries("mine", &event()).await.expect("reads").is_empty());
    // A changed pattern counts at once.
    let changed = Rule { pattern: Some(r#"{"source":["x"]}"#.to_owned()), ..(*matching.value).clone() };
    tables.replace(&matching, changed).await.expect("replaces");
    assert!(outbox.deliveries(DEFAULT_BUS, &event()).await.expect("reads").is_empty());
}

#[tokio::test]
async fn a_full_outbox_takes_nothing() {
    let outbox = outbox();
    outbox.reserve(MOST_WAITING).expect("has room");
    assert!(matches!(outbox.reserve(1), Err(OutboxError::Full)));
    assert_eq!(outbox.count().await.expect("counts"), 0);
    outbox.reserve(1).expect("has room again");
}
