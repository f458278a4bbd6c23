//! Nothing recorded is missed or seen twice, whichever file it is in.

use super::*;
use crate::{Attribute, Identity};
use environment::{Simulation, Timestamp};
use std::path::Path;

const ACCOUNT: &str = "123456789012";

struct Bench {
    log: AuditLog,
    clock: Arc<Simulation>,
    environment: Environment,
}

async fn opened(dir: &Path, segment_records: u64) -> Bench {
    let (environment, clock) = Environment::simulated(Timestamp::from_seconds(1_700_000_000), 1);
    let log = opened_with(dir, &environment, Bounds { segment_records, ..Bounds::default() }).await;
    Bench { log, clock, environment }
}

async fn opened_with(dir: &Path, environment: &Environment, bounds: Bounds) -> AuditLog {
    let blobs = BlobStore::local(dir, environment.clone()).expect("opens");
    AuditLog::open(blobs, environment.clone(), bounds).await.expect("opens")
}

impl Bench {
    fn record(&self, name: &str, number: u64, read_only: bool) {
        let resource = format!("thing-{number}");
        self.log.record(&Event {
            time: self.environment.now(),
            source: "ecs.amazonaws.com",
            name,
            account: ACCOUNT,
            identity: Identity { kind: "Root", access_key_id: "AKIAX", ..Identity::default() },
            request_id: "00000000-0000-4000-8000-000000000000",
            read_only,
            resources: &[crate::Resource { kind: "AWS::ECS::Cluster", name: &resource }],
            ..Event::default()
        });
    }

    /// Records `numbers`, one a second, in batches of seven.
    async fn fill(&self, numbers: Range<u64>) {
        for number in numbers {
            let name = if number % 10 == 0 { "CreateCluster" } else { "ListClusters" };
            self.record(name, number, number % 10 != 0);
            self.clock.advance(Duration::from_secs(1));
            if number % 7 == 0 {
                self.log.flush().await;
            }
        }
        self.log.flush().await;
    }

    async fn pages(&self, query: Query) -> Vec<StoredEvent> {
        let mut query = query;
        let mut events = Vec::new();
        loop {
            let found = self.log.search(&query).await.expect("searches");
            assert!(found.events.len() <= query.limit);
            events.extend(found.events);
            query.before = found.next;
            if found.next.is_none() {
                return events;
            }
        }
    }
}

fn query(matching: Option<Matching>, limit: usize) -> Query {
    let until = Timestamp::from_seconds(i64::from(u32::MAX));
    let from = Timestamp::from_seconds(0);
    Query { account: ACCOUNT.to_owned(), matching, from, until, before: None, limit }
}

fn text(attribute: Attribute, text: &str) -> Matching {
    Matching::Text(attribute, text.to_owned())
}

fn numbers(events: &[StoredEvent]) -> Vec<u64> {
    let number =
        |event: &StoredEvent| event.resources[0].1.trim_start_matches("thing-").parse().expect("a number");
    events.iter().map(number).collect()
}

#[tokio::test]
async fn everything_is_found_by_everything() {
    let dir = tempfile::tempdir().expect("a directory");
    let bench = opened(dir.path(), 100).await;
    bench.fill(0..950).await;
    let all = bench.pages(query(None, 50)).await;
    assert_eq!(numbers(&all), (0..950).rev().collect::<Vec<_>>());
    let created = bench.pages(query(Some(text(Attribute::EventName, "CreateCluster")), 7)).await;
    assert_eq!(numbers(&created), (0..95).rev().map(|number| number * 10).collect::<Vec<_>>());
    for number in [0, 1, 99, 100, 500, 949] {
        let by_name = Some(text(Attribute::ResourceName, &format!("thing-{number}")));
        let found = bench.log.search(&query(by_name, 50)).await.expect("searches");
        assert_eq!((numbers(&found.events), found.next), (vec![number], None));
        let by_id = Some(Matching::Id(found.events[0].id.clone()));
        assert_eq!(bench.log.search(&query(by_id, 50)).await.expect("searches").events, found.events);
    }
    let count = |matching| bench.pages(query(matching, 50));
    assert_eq!(count(Some(Matching::ReadOnly(false))).await.len(), 95);
    assert_eq!(count(Some(Matching::ReadOnly(true))).await.len(), 855);
    assert_eq!(count(Some(text(Attribute::Username, "root"))).await.len(), 950);
    assert_eq!(count(Some(text(Attribute::AccessKeyId, "AKIAX"))).await.len(), 950);
    assert_eq!(count(Some(text(Attribute::EventSource, "ecs.amazonaws.com"))).await.len(), 950);
    assert_eq!(count(Some(text(Attribute::ResourceType, "AWS::ECS::Cluster"))).await.len(), 950);
    assert_eq!(count(Some(text(Attribute::EventName, "thing-1"))).await.len(), 0);
    assert_eq!(count(Some(Matching::Id("00000000-0000-4000-8000-000000000000".to_owned()))).await.len(), 0);
    let stranger = Query { account: "000000000000".to_owned(), ..query(None, 50) };
    assert_eq!(bench.pages(stranger).await.len(), 0);

    let start = Timestamp::from_seconds(1_700_000_000);
    let window = Query {
        from: start + Duration::from_secs(95),
        until: start + Duration::from_secs(210),
        ..query(None, 50)
    };
    assert_eq!(numbers(&bench.pages(window).await), (95..=210).rev().collect::<Vec<_>>());
    bench.log.close().await;
    assert!(!bench.log.0.blocks.read().is_empty());
}

#[tokio::test]
async fn a_reopened_log_has_it_all_and_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let bench = opened(dir.path(), 100).await;
    bench.fill(0..250).await;
    let before = bench.pages(query(None, 50)).await;
    bench.record("RunTask", 250, false);
    bench.log.close().await;
    let again = opened(dir.path(), 100).await;
    again.clock.advance(Duration::from_secs(300));
    again.fill(251..333).await;
    let after = again.pages(query(None, 50)).await;
    assert_eq!(numbers(&after), (0..333).rev().collect::<Vec<_>>());
    assert_eq!(after[83..], before[..], "ids and all are the same");
    again.log.close().await;
}

#[tokio::test]
async fn a_crash_between_block_and_journal_changes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let bench = opened(dir.path(), 1_000_000).await;
    bench.fill(0..300).await;
    bench.log.close().await;
    let journal = dir.path().join("segments").join(Journal::name_of(0));
    let kept = std::fs::read(&journal).expect("reads");
    // The same records as a block, and its journal still there, as well as half a block.
    let blobs = BlobStore::local(dir.path(), bench.environment.clone()).expect("opens");
    let batches = blobs.read_segment(&Journal::name_of(0)).await.expect("reads").expect("is there");
    let built = block::build(batches).expect("has records");
    blobs.write_segment(&built.name.path(), built.records).await.expect("writes");
    let half = dir.path().join("segments").join(format!("{}.unfinished", built.name.path()));
    std::fs::write(&half, b"half").expect("writes");
    std::fs::write(&journal, kept).expect("writes");
    let again = opened(dir.path(), 1_000_000).await;
    again.clock.advance(Duration::from_secs(300));
    again.fill(300..310).await;
    let events = again.pages(query(None, 50)).await;
    assert_eq!(numbers(&events), (0..310).rev().collect::<Vec<_>>());
    assert!(!half.exists());
    again.log.close().await;
}

#[tokio::test]
async fn ranges_go_forward_without_gap_or_double() {
    let dir = tempfile::tempdir().expect("a directory");
    let bench = opened(dir.path(), 100).await;
    bench.fill(0..350).await;
    let mut from = 30;
    let mut seen = Vec::new();
    while from < 345 {
        let (events, next) = bench.log.range(ACCOUNT, from..345, 20).await.expect("reads");
        assert!(next > from);
        seen.extend(numbers(&events));
        from = next;
    }
    assert_eq!(seen, (30..345).collect::<Vec<_>>());
    bench.log.close().await;
}

#[tokio::test]
async fn old_and_surplus_records_go() {
    let dir = tempfile::tempdir().expect("a directory");
    let (environment, clock) = Environment::simulated(Timestamp::from_seconds(1_700_000_000), 1);
    let retention = Duration::from_secs(3600);
    let bounds = Bounds { retention, segment_records: 100, ..Bounds::default() };
    let log = opened_with(dir.path(), &environment, bounds).await;
    let bench = Bench { log, clock, environment };
    bench.fill(0..250).await;
    bench.clock.advance(Duration::from_secs(3600 - 100));
    let visible = bench.pages(query(None, 50)).await;
    assert_eq!(numbers(&visible), (150..250).rev().collect::<Vec<_>>(), "hidden before they are removed");
    bench.clock.advance(Duration::from_secs(3600));
    bench.log.0.drop_expired().await;
    assert!(bench.log.0.blocks.read().is_empty());
    bench.log.close().await;
    let folder = dir.path().join("segments").join(block::FOLDER);
    assert_eq!(std::fs::read_dir(&folder).expect("lists").count(), 0);

    let small = Bounds { bytes: 5_000, segment_records: 100, ..Bounds::default() };
    let log = opened_with(dir.path(), &bench.environment, small).await;
    let bench = Bench { log, ..bench };
    bench.fill(250..3000).await;
    bench.log.close().await;
    let files = std::fs::read_dir(&folder).expect("lists");
    let bytes: u64 = files.map(|file| file.expect("a file").metadata().expect("its size").len()).sum();
    assert!(bytes <= 5_000, "{bytes}");
}

#[tokio::test]
async fn a_change_is_written_soon_and_by_itself() {
    let dir = tempfile::tempdir().expect("a directory");
    let environment = Environment::real();
    let log = opened_with(dir.path(), &environment, Bounds::default()).await;
    let written = log.0.written.subscribe();
    let start = environment.now();
    log.record(&Event { name: "RunTask", account: ACCOUNT, time: start, ..Event::default() });
    let mut waiting = written.clone();
    waiting.wait_for(|written| *written == 1).await.expect("is written");
    log.record(&Event {
        name: "ListTasks",
        read_only: true,
        account: ACCOUNT,
        time: start,
        ..Event::default()
    });
    let mut waiting = written.clone();
    waiting.wait_for(|written| *written == 2).await.expect("is written");
    // Not stopped: as after a crash.
    let again = opened_with(dir.path(), &environment, Bounds::default()).await;
    assert_eq!(again.search(&query(None, 50)).await.expect("searches").events.len(), 2);
    again.close().await;
    log.close().await;
}

#[tokio::test]
async fn calls_wait_for_a_slow_disk_and_nothing_is_lost() {
    let dir = tempfile::tempdir().expect("a directory");
    let bench = opened(dir.path(), 1_000_000).await;
    let long = "x".repeat(100_000);
    for number in 0..200u32 {
        bench.log.room().await;
        let parameters = format!("\"{number}{long}\"");
        bench.log.record(&Event {
            name: "RunTask",
            account: ACCOUNT,
            time: bench.environment.now(),
            request_parameters: Some(&parameters),
            ..Event::default()
        });
        assert!(bench.log.0.open.lock().batch.size() < MOST_WAITING + 200_000);
    }
    assert_eq!(bench.pages(query(None, 50)).await.len(), 200);
    assert_eq!(bench.log.lost(), 0);
    bench.log.close().await;
}

#[tokio::test]
async fn what_a_failing_disk_loses_is_counted_and_the_log_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let folder = dir.path().join("segments").join(journal::FOLDER);
    std::fs::create_dir_all(&folder).expect("makes the folder");
    std::os::unix::fs::symlink("/dev/full", folder.join(format!("{:016x}", 0))).expect("links");
    let bench = opened(dir.path(), 100).await;
    bench.fill(0..50).await;
    assert_eq!(bench.log.lost(), 1, "the batch for which no other segment could be made");
    assert_eq!(numbers(&bench.pages(query(None, 50)).await), (1..50).rev().collect::<Vec<_>>());
    bench.fill(50..350).await;
    assert_eq!(bench.pages(query(None, 50)).await.len(), 349);
    bench.log.close().await;
    assert_eq!(bench.log.lost(), 1);
}

#[tokio::test]
async fn what_is_forgotten_stays_forgotten_and_what_follows_is_found() {
    let dir = tempfile::tempdir().expect("a directory");
    let bench = opened(dir.path(), 20).await;
    bench.fill(0..50).await;
    bench.log.clear().await.expect("clears");
    assert_eq!(bench.pages(query(None, 50)).await, []);
    assert_eq!(bench.log.range(ACCOUNT, 0..50, 100).await.expect("reads").0, []);
    bench.fill(50..53).await;
    let found = bench.pages(query(None, 50)).await;
    assert_eq!(found.iter().map(|event| event.sequence).collect::<Vec<_>>(), [52, 51, 50]);
    bench.log.close().await;
    let again = opened(dir.path(), 20).await;
    assert_eq!(again.pages(query(None, 50)).await.len(), 3);
    again.log.close().await;
}
