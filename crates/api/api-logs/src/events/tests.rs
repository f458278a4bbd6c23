//! Durability and order of events, with segments so small that they move to blocks all the time.

use super::*;
use environment::Environment;
use resources::logs::LogGroup;
use std::collections::BTreeMap;
use std::path::Path;
use store::MemoryStore;

struct Bench {
    dir: tempfile::TempDir,
    tables: Tables,
}

impl Bench {
    fn new() -> Self {
        let environment = Environment::real();
        let tables = Tables::new(MemoryStore::new(environment.clone()), environment);
        Self { dir: tempfile::tempdir().expect("a directory"), tables }
    }

    async fn open(&self, segment_bytes: u64) -> Events {
        let blobs = BlobStore::local(self.dir.path(), Environment::real()).expect("opens");
        Events::open_with(self.tables.clone(), blobs, segment_bytes).await.expect("opens")
    }

    async fn stream(&self, number: u64) -> Arc<LogStream> {
        let stream = LogStream {
            account: "1".to_owned(),
            group_id: "g".to_owned(),
            group_name: "group".to_owned(),
            name: format!("s{number}"),
            id: format!("{number:016x}"),
            created_at: Timestamp::from_seconds(0),
            first_event: None,
            last_event: None,
            last_ingestion: None,
        };
        self.tables.create(stream).await.expect("creates").value
    }

    async fn group(&self) {
        let group = LogGroup {
            account: "1".to_owned(),
            name: "group".to_owned(),
            id: "g".to_owned(),
            created_at: Timestamp::from_seconds(0),
            retention_in_days: None,
            tags: BTreeMap::new(),
            stored_bytes: 0,
        };
        self.tables.create(group).await.expect("creates");
    }
}

const ALL: Window = Window { start: 0, end: i64::MAX, after: None, before: None };

async fn put(events: &Events, stream: &LogStream, time: i64, text: &str) {
    events.append(stream, Timestamp::from_millis(9), [(time, text)].into_iter()).await.expect("appends");
}

async fn texts(
    events: &Events,
    streams: &[Arc<LogStream>],
    window: Window,
    direction: Direction,
) -> Vec<String> {
    let mut reader = events.read(streams, window, direction).await.expect("reads");
    let mut texts = Vec::new();
    while let Some((_, event)) = reader.next().await.expect("reads") {
        texts.push(event.text().into_owned());
    }
    texts
}

fn files(dir: &Path, folder: &str) -> usize {
    let mut found = 0;
    let mut folders = vec![dir.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("lists").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().contains(folder) {
                found += 1;
            }
        }
    }
    found
}

#[tokio::test]
async fn events_are_there_after_a_restart_whether_moved_or_not() {
    for segment_bytes in [1, 300, 1_000_000] {
        let bench = Bench::new();
        bench.group().await;
        let streams = [bench.stream(1).await, bench.stream(2).await];
        let mut expected = Vec::new();
        for round in 0..3 {
            let events = bench.open(segment_bytes).await;
            for index in 0..20i64 {
                let text = format!("{round}.{index}");
                put(&events, &streams[(index % 2) as usize], round * 100 + index, &text).await;
                expected.push(text);
            }
            assert_eq!(texts(&events, &streams, ALL, Direction::Forward).await, expected);
            events.close().await;
        }
        let events = bench.open(segment_bytes).await;
        assert_eq!(texts(&events, &streams, ALL, Direction::Forward).await, expected);
        let mut backward = texts(&events, &streams, ALL, Direction::Backward).await;
        backward.reverse();
        assert_eq!(backward, expected);
        let window = Window { start: 105, end: 210, ..ALL };
        assert_eq!(texts(&events, &streams, window, Direction::Forward).await, expected[25..50]);
        events.close().await;
    }
}

#[tokio::test]
async fn positions_survive_the_move_to_blocks() {
    let bench = Bench::new();
    bench.group().await;
    let stream = bench.stream(1).await;
    let events = bench.open(1_000_000).await;
    for time in [5, 3, 3, 8] {
        put(&events, &stream, time, "x").await;
    }
    let positions = |events: Events| {
        let stream = stream.clone();
        async move {
            let mut reader = events.read(&[stream], ALL, Direction::Forward).await.expect("reads");
            let mut positions = Vec::new();
            while let Some((_, event)) = reader.next().await.expect("reads") {
                positions.push(event.position);
            }
            positions
        }
    };
    let before = positions(events.clone()).await;
    assert!(before.is_sorted() && before.len() == 4);
    drop(events);
    let events = bench.open(1).await;
    put(&events, &stream, 9, "full").await;
    events.close().await;
    let after = positions(events.clone()).await;
    assert_eq!(after[..4], before[..]);
    events.close().await;
    let row = bench.tables.get::<LogStream>("1/g/s1").await.expect("reads").expect("is there");
    assert!(row.last_event >= Some(Timestamp::from_millis(8)), "the row learns its times");
}

#[tokio::test]
async fn a_crash_between_blocks_and_the_removal_of_their_segment_changes_nothing() {
    let bench = Bench::new();
    bench.group().await;
    let stream = bench.stream(1).await;
    let events = bench.open(1_000_000).await;
    put(&events, &stream, 1, "a").await;
    let journal = bench.dir.path().to_owned();
    let segment = find(&journal, "journal/0000000000000001");
    let copy = std::fs::read(&segment).expect("reads");
    drop(events);
    let events = bench.open(1).await;
    put(&events, &stream, 2, "b").await;
    events.close().await;
    drop(events);
    assert!(!segment.exists(), "the segment is gone");
    let full = bench.dir.path().join("again");
    std::fs::write(&full, &copy).expect("writes");
    std::fs::rename(&full, &segment).expect("renames");
    let events = bench.open(1_000_000).await;
    assert_eq!(texts(&events, &[stream], ALL, Direction::Forward).await, ["a", "b"]);
    assert!(!segment.exists(), "the segment is gone again");
}

fn find(dir: &Path, ending: &str) -> std::path::PathBuf {
    let mut folders = vec![dir.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("lists").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                return path;
            }
        }
    }
    panic!("no file ends with {ending}");
}

#[tokio::test]
async fn a_deleted_stream_leaves_nothing() {
    let bench = Bench::new();
    bench.group().await;
    let stream = bench.stream(1).await;
    let events = bench.open(1).await;
    for time in 0..5 {
        put(&events, &stream, time, "x").await;
    }
    events.close().await;
    assert!(files(bench.dir.path(), "streams") > 0);
    bench.tables.batch().delete_any::<LogStream>("1/g/s1").commit().await.expect("deletes");
    events.delete(&stream).await.expect("deletes");
    assert_eq!(texts(&events, std::slice::from_ref(&stream), ALL, Direction::Forward).await, [""; 0]);
    assert_eq!(files(bench.dir.path(), "streams"), 0);
    drop(events);
    let events = bench.open(1).await;
    assert_eq!(texts(&events, &[stream], ALL, Direction::Forward).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn puts_at_the_same_time_are_all_there_while_segments_move() {
    let bench = Bench::new();
    bench.group().await;
    let events = bench.open(4_000).await;
    let mut streams = Vec::new();
    for number in 0..20 {
        streams.push(bench.stream(number).await);
    }
    let writers: Vec<_> = streams
        .iter()
        .cloned()
        .map(|stream| {
            let events = events.clone();
            tokio::spawn(async move {
                for index in 0..50 {
                    put(&events, &stream, index, "some text").await;
                }
            })
        })
        .collect();
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        let seen = texts(&events, &streams[..1], ALL, Direction::Forward).await.len();
        assert!(seen <= 50);
    }
    for writer in writers {
        writer.await.expect("joins");
    }
    assert_eq!(texts(&events, &streams, ALL, Direction::Forward).await.len(), 1_000);
    events.close().await;
    drop(events);
    let events = bench.open(4_000).await;
    assert_eq!(texts(&events, &streams, ALL, Direction::Forward).await.len(), 1_000);
}
