//! Alarms that go off and come back, by data points in files and an injected clock.

use super::*;
use blob_store::BlobStore;
use environment::{Environment, Simulation};
use metric_store::{Distribution, Sample};
use resources::cloudwatch::{AlarmHistory, AlarmState, Comparison, MissingData, StateValue};
use std::sync::Arc;
use store::{MemoryStore, Tables};

/// A whole hour.
const NOW: i64 = 1_700_002_800;

struct World {
    _dir: tempfile::TempDir,
    outbox: Outbox,
    metrics: Metrics,
    clock: Arc<Simulation>,
}

fn watch(missing: MissingData) -> AlarmWatch {
    AlarmWatch {
        namespace: "shop".to_owned(),
        metric: "heat".to_owned(),
        dimensions: std::collections::BTreeMap::new(),
        statistic: "Maximum".to_owned(),
        unit: None,
        period: 60,
        evaluation_periods: 3,
        datapoints_to_alarm: Some(2),
        threshold: 30.0,
        comparison: Comparison::Greater,
        missing,
        low_samples: None,
    }
}

impl World {
    async fn new(missing: MissingData) -> Self {
        let (environment, clock) = Environment::simulated(Timestamp::from_seconds(NOW), 1);
        let dir = tempfile::tempdir().expect("a directory");
        let blobs = BlobStore::local(dir.path(), environment.clone()).expect("opens");
        let metrics = Metrics::open(blobs, environment.clone()).await.expect("opens");
        let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
        let now = environment.now();
        let alarm = Alarm {
            account: "123456789012".parse().expect("an account"),
            name: "hot".to_owned(),
            description: None,
            actions_enabled: true,
            watch: watch(missing),
            tags: vec![],
            configured_at: now,
            state: AlarmState {
                value: StateValue::InsufficientData,
                reason: String::new(),
                data: None,
                updated_at: now,
                transitioned_at: now,
            },
        };
        tables.create(alarm).await.expect("creates");
        let outbox = Outbox::new(tables, "us-east-1".parse().expect("a region"));
        Self { _dir: dir, outbox, metrics, clock }
    }

    async fn sample(&self, value: f64) {
        let sample = Sample {
            series: Series {
                account: "123456789012".to_owned(),
                namespace: "shop".to_owned(),
                name: "heat".to_owned(),
                dimensions: std::collections::BTreeMap::new(),
            },
            unit: "None".to_owned(),
            second: self.outbox.tables().environment().now().as_seconds(),
            values: Distribution::of_value(value, 1.0).expect("a value"),
        };
        self.metrics.put(&[sample]).await.expect("puts");
    }

    /// A minute later, by a controller that was just started.
    async fn minute(&self) -> StateValue {
        self.clock.advance(Duration::from_secs(60));
        let controller = Alarms::new(self.outbox.clone(), self.metrics.clone(), Queue::new());
        let key = "123456789012/hot".to_owned();
        assert_eq!(
            controller.reconcile(&key).await.expect("evaluates"),
            Next::After(Duration::from_secs(60))
        );
        self.outbox.tables().get::<Alarm>(&key).await.expect("reads").expect("is there").state.value
    }
}

#[tokio::test]
async fn two_of_three_breaching_minutes_raise_it_and_it_comes_back() {
    let world = World::new(MissingData::Missing).await;
    let mut states = Vec::new();
    for value in [10.0, 40.0, 10.0, 40.0, 50.0, 10.0, 10.0] {
        world.sample(value).await;
        states.push(world.minute().await.as_str());
    }
    assert_eq!(states, ["OK", "OK", "OK", "ALARM", "ALARM", "ALARM", "OK"]);
    for _ in 0..6 {
        world.minute().await;
    }
    assert_eq!(world.minute().await, StateValue::InsufficientData);
    let history = world.outbox.tables().get::<AlarmHistory>("123456789012/hot").await.expect("reads");
    assert_eq!(history.expect("is there").items.len(), 4);
}

#[tokio::test]
async fn missing_points_count_as_told() {
    for (missing, expected) in [
        (MissingData::Breaching, StateValue::Alarm),
        (MissingData::NotBreaching, StateValue::Ok),
        (MissingData::Ignore, StateValue::InsufficientData),
    ] {
        let world = World::new(missing).await;
        assert_eq!(world.minute().await, expected, "{missing:?}");
    }
}
