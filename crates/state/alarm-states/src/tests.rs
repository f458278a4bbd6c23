//! A change of state, its history and its event.

use super::*;
use environment::Environment;
use resources::cloudwatch::{AlarmWatch, Comparison, MissingData};
use resources::events::{Delivery, Input, RetryPolicy, Rule, Target};
use store::MemoryStore;

fn alarm() -> Alarm {
    Alarm {
        account: "123456789012".parse().expect("an account"),
        name: "hot".to_owned(),
        description: Some("too hot".to_owned()),
        actions_enabled: true,
        watch: AlarmWatch {
            namespace: "shop".to_owned(),
            metric: "heat".to_owned(),
            dimensions: [("room".to_owned(), "1".to_owned())].into(),
            statistic: "Average".to_owned(),
            unit: None,
            period: 60,
            evaluation_periods: 1,
            datapoints_to_alarm: None,
            threshold: 30.0,
            comparison: Comparison::Greater,
            missing: MissingData::Missing,
            low_samples: None,
        },
        tags: vec![],
        configured_at: Timestamp::default(),
        state: AlarmState {
            value: StateValue::InsufficientData,
            reason: "Unchecked: Initial alarm creation".to_owned(),
            data: None,
            updated_at: Timestamp::default(),
            transitioned_at: Timestamp::default(),
        },
    }
}

#[tokio::test]
async fn a_change_is_written_remembered_and_told_once() {
    let (environment, _) = Environment::simulated(Timestamp::from_seconds(1_700_000_000), 1);
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
        pattern: Some(r#"{"source":["aws.cloudwatch"]}"#.to_owned()),
        schedule: None,
        scheduled_from: Timestamp::default(),
        enabled: true,
        all_management_events: false,
        description: None,
        role_arn: None,
        tags: vec![],
        targets: vec![target],
        created_by: String::new(),
    };
    tables.create(rule).await.expect("creates");
    let row = tables.create(alarm()).await.expect("creates");
    let data = Some(r#"{"a":1}"#.to_owned());
    set_state(&outbox, &row, StateValue::Alarm, "hot".to_owned(), data).await.expect("sets");
    // The same decision on what was read before does nothing.
    assert!(set_state(&outbox, &row, StateValue::Alarm, "hot".to_owned(), None).await.is_err());
    let row = tables.get::<Alarm>("123456789012/hot").await.expect("reads").expect("is there");
    set_state(&outbox, &row, StateValue::Alarm, "still hot".to_owned(), None).await.expect("sets");
    let row = tables.get::<Alarm>("123456789012/hot").await.expect("reads").expect("is there");
    assert_eq!((row.state.value, row.state.reason.as_str()), (StateValue::Alarm, "still hot"));
    let history = tables.get::<AlarmHistory>("123456789012/hot").await.expect("reads").expect("is there");
    let summaries: Vec<&str> = history.items.iter().map(|item| item.summary.as_str()).collect();
    assert_eq!(summaries, ["Alarm updated from INSUFFICIENT_DATA to ALARM"]);
    let told = tables.list_all::<Delivery>("").await.expect("lists");
    assert_eq!(told.len(), 1);
    let event: Value = serde_json::from_str(&told[0].input).expect("JSON");
    assert_eq!(event["detail-type"], "CloudWatch Alarm State Change");
    assert_eq!(event["resources"][0], "arn:aws:cloudwatch:us-east-1:123456789012:alarm:hot");
    assert_eq!(event["detail"]["state"]["value"], "ALARM");
    assert_eq!(event["detail"]["previousState"]["value"], "INSUFFICIENT_DATA");
    assert_eq!(
        event["detail"]["configuration"]["metrics"][0]["metricStat"]["metric"]["dimensions"]["room"],
        "1"
    );
}
