//! Points through restarts, blocks, and the years.

use super::{Metrics, Point, Wanted};
use crate::block::HOUR;
use crate::{Distribution, Sample, Series};
use blob_store::BlobStore;
use environment::{Environment, Simulation, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The time at which every test begins, in seconds; a whole hour.
const NOW: i64 = 1_700_002_800;

struct Bench {
    dir: tempfile::TempDir,
    environment: Environment,
    simulation: Arc<Simulation>,
    metrics: Metrics,
}

impl Bench {
    async fn new(journal_bytes: u64) -> Self {
        let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(NOW), 1);
        let dir = tempfile::tempdir().expect("a directory");
        let metrics = open(&dir, &environment, journal_bytes).await;
        Self { dir, environment, simulation, metrics }
    }

    async fn reopen(&mut self) {
        self.metrics = open(&self.dir, &self.environment, u64::MAX).await;
    }

    async fn put(&self, name: &str, second: i64, value: f64) {
        self.metrics.put(&[sample(name, second, value)]).await.expect("puts");
    }

    async fn points(&self, name: &str, period: i64) -> Vec<(i64, f64, f64)> {
        let wanted =
            Wanted { series: series(name), unit: None, start: 0, end: NOW + 10_000 * 24 * HOUR, period };
        let shown = |point: Point| (point.start, point.values.count(), point.values.sum());
        self.metrics.read(&wanted).await.expect("reads").into_iter().map(shown).collect()
    }
}

async fn open(dir: &tempfile::TempDir, environment: &Environment, journal_bytes: u64) -> Metrics {
    let blobs = BlobStore::local(dir.path(), environment.clone()).expect("opens");
    Metrics::open_with(blobs, environment.clone(), journal_bytes).await.expect("opens")
}

fn series(name: &str) -> Series {
    let dimensions = BTreeMap::from([("d".to_owned(), "1".to_owned())]);
    Series { account: "1".to_owned(), namespace: "n".to_owned(), name: name.to_owned(), dimensions }
}

fn sample(name: &str, second: i64, value: f64) -> Sample {
    let values = Distribution::of_value(value, 1.0).expect("a value");
    Sample { series: series(name), unit: "None".to_owned(), second, values }
}

#[tokio::test]
async fn points_are_gathered_by_period_and_survive_a_restart() {
    let mut bench = Bench::new(u64::MAX).await;
    for (second, value) in [(0, 1.0), (59, 2.0), (60, 4.0), (61, 8.0)] {
        bench.put("m", NOW + second, value).await;
    }
    bench.put("other", NOW, 1.0).await;
    for _ in 0..2 {
        assert_eq!(bench.points("m", 60).await, [(NOW, 2.0, 3.0), (NOW + 60, 2.0, 12.0)]);
        assert_eq!(bench.points("m", 120).await, [(NOW, 4.0, 15.0)]);
        assert_eq!(bench.points("none", 60).await, []);
        bench.reopen().await;
    }
    let bytes =
        Wanted { series: series("m"), unit: Some("Bytes".to_owned()), start: 0, end: i64::MAX, period: 60 };
    assert_eq!(bench.metrics.read(&bytes).await.expect("reads"), []);
}

#[tokio::test]
async fn journals_become_blocks_and_nothing_counts_twice() {
    let mut bench = Bench::new(200).await;
    for second in 0..50 {
        bench.put("m", NOW + second, 1.0).await;
    }
    assert_eq!(bench.points("m", 3600).await, [(NOW, 50.0, 50.0)]);
    bench.reopen().await;
    assert_eq!(bench.points("m", 3600).await, [(NOW, 50.0, 50.0)]);
    let before = bench.metrics.0.shelves.read().blocks.len();
    assert!(before > 5, "{before}");
    // As after a crash between the writing of a block and the removal of what it stands for.
    let folder = bench.dir.path().join("segments/metrics/blocks");
    let kept: Vec<(std::path::PathBuf, Vec<u8>)> = std::fs::read_dir(&folder)
        .expect("lists")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| (path.clone(), std::fs::read(path).expect("reads")))
        .collect();
    bench.simulation.advance(Duration::from_secs(4 * HOUR as u64));
    bench.metrics.sweep().await.expect("sweeps");
    assert_eq!(bench.metrics.0.shelves.read().blocks.len(), 1);
    for (path, bytes) in kept {
        std::fs::write(path, bytes).expect("writes");
    }
    bench.reopen().await;
    assert_eq!(bench.points("m", 3600).await, [(NOW, 50.0, 50.0)]);
    assert_eq!(
        bench.points("m", 1).await,
        [(NOW, 50.0, 50.0)],
        "points of a second became points of a minute"
    );
}

#[tokio::test]
async fn points_grow_coarser_and_go() {
    let bench = Bench::new(u64::MAX).await;
    // An hour of points of a minute, every day.
    for day in 0..30 {
        for minute in 0..6 {
            bench.put("m", NOW + day * 24 * HOUR + minute * 60, 1.0).await;
        }
        bench.metrics.sweep().await.expect("sweeps");
        bench.simulation.advance(Duration::from_secs(24 * 3600));
    }
    bench.simulation.advance(Duration::from_secs(64 * 24 * 3600));
    bench.metrics.sweep().await.expect("sweeps");
    let points = bench.points("m", 60).await;
    assert_eq!((points.len(), points[0]), (30, (NOW, 6.0, 6.0)), "one point of an hour for each day");
    assert_eq!(bench.metrics.list("1", Timestamp::from_seconds(0)).len(), 1);
    bench.simulation.advance(Duration::from_secs(456 * 24 * 3600));
    assert_eq!(bench.points("m", 60).await, [], "reading hides what is past retention");
    bench.metrics.sweep().await.expect("sweeps");
    assert_eq!(bench.metrics.0.shelves.read().blocks.len(), 0);
    assert!(bench.metrics.list("1", Timestamp::from_seconds(0)).is_empty());
}

#[tokio::test]
async fn series_are_listed_by_account_and_time() {
    let bench = Bench::new(u64::MAX).await;
    bench.put("b", NOW, 1.0).await;
    bench.put("a", NOW - 100, 1.0).await;
    let names = |since: i64| -> Vec<String> {
        let found = bench.metrics.list("1", Timestamp::from_seconds(since));
        found.iter().map(|series| series.name.clone()).collect()
    };
    assert_eq!(names(0), ["a", "b"]);
    assert_eq!(names(NOW - 50), ["b"]);
    assert!(bench.metrics.list("2", Timestamp::from_seconds(0)).is_empty());
}
