//! A sweep over rows and files.

use super::plan::{Remove, plan};
use super::*;
use environment::{Environment, Timestamp};
use resources::logs::{BlockName, LogGroup, LogStream, STREAMS_FOLDER};
use std::collections::BTreeMap;
use store::MemoryStore;

const DAY: i64 = 86_400;

fn group(id: &str, retention_in_days: Option<i32>) -> LogGroup {
    LogGroup {
        account: "1".to_owned(),
        name: format!("group-{id}"),
        id: id.to_owned(),
        created_at: Timestamp::from_seconds(0),
        retention_in_days,
        tags: BTreeMap::new(),
        stored_bytes: 100,
    }
}

fn stream(group_id: &str, id: &str) -> LogStream {
    LogStream {
        account: "1".to_owned(),
        group_id: group_id.to_owned(),
        group_name: format!("group-{group_id}"),
        name: format!("stream-{id}"),
        id: id.to_owned(),
        created_at: Timestamp::from_seconds(0),
        first_event: None,
        last_event: None,
        last_ingestion: None,
    }
}

fn block(stream: &str, segment: u64, last: i64) -> String {
    let name = BlockName {
        segment,
        first: Timestamp::from_seconds(1),
        last: Timestamp::from_seconds(last),
        bytes: 60,
    };
    format!("{STREAMS_FOLDER}/{stream}/{name}")
}

#[tokio::test]
async fn a_sweep_drops_what_expired_and_what_deletions_left_and_nothing_else() {
    let (environment, _) = Environment::simulated(Timestamp::from_seconds(10 * DAY), 1);
    let dir = tempfile::tempdir().expect("a directory");
    let blobs = BlobStore::local(dir.path(), environment.clone()).expect("opens");
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    tables.create(group("a", Some(3))).await.expect("creates");
    tables.create(group("b", None)).await.expect("creates");
    for row in [stream("a", "a1"), stream("b", "b1"), stream("gone", "c1")] {
        tables.create(row).await.expect("creates");
    }
    let blocks = [
        block("a1", 1, 7 * DAY - 1),
        block("a1", 2, 7 * DAY),
        block("b1", 1, DAY),
        block("c1", 1, 9 * DAY),
        block("d1", 1, 9 * DAY),
    ];
    for block in &blocks {
        blobs.open_segment(block, |_, _| {}).await.expect("opens").append(b"x").await.expect("appends");
    }
    let controller = LogsRetention::new(tables.clone(), blobs.clone());
    // The second time there is nothing left to do.
    for _ in 0..2 {
        assert_eq!(controller.reconcile(&EveryGroup).await.expect("sweeps"), Next::Settled);
        let mut left = Vec::new();
        for folder in blobs.list_segments(STREAMS_FOLDER).await.expect("lists") {
            left.extend(blobs.list_segments(&folder).await.expect("lists"));
        }
        assert_eq!(left, [blocks[1].clone(), blocks[2].clone()]);
        let group = tables.get::<LogGroup>("1/group-a").await.expect("reads").expect("is there");
        assert_eq!(group.stored_bytes, 40);
        assert!(tables.get::<LogStream>("1/gone/stream-c1").await.expect("reads").is_none());
    }
    let observed = observe::observe(&tables, &blobs).await.expect("observes");
    assert_eq!(plan(&observed, environment.now()), Vec::<Remove>::new());
}
