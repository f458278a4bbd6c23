//! What every backend must do. A backend's tests call [`run`] with a function that makes an empty store.

use crate::{
    Compare, Event, KeyRange, LeaseId, Op, OpResult, RangeRequest, Store, StoreError, Test, Transaction,
    WatchRequest,
};
use environment::Simulation;
use std::sync::Arc;
use std::time::Duration;

/// An empty store whose clock the suite moves.
type Made = (Arc<dyn Store>, Arc<Simulation>);

/// Runs every case, each on a store of its own.
///
/// # Panics
/// When the store breaks the contract.
pub async fn run<F, Fut>(make: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = Made>,
{
    puts_count_revisions_and_versions(make().await.0).await;
    a_failed_compare_writes_nothing(make().await.0).await;
    every_test_compares_what_it_says(make().await.0).await;
    a_transaction_reads_its_own_writes(make().await.0).await;
    ranges_are_ordered_and_paged(make().await.0).await;
    the_past_can_be_read(make().await.0).await;
    deletes_make_keys_new(make().await.0).await;
    watches_see_every_change_once_in_order(make().await.0).await;
    watches_begin_in_the_past(make().await.0).await;
    compaction_refuses_the_past(make().await.0).await;
    a_slow_watcher_is_cut_off(make().await.0).await;
    racing_writers_have_one_winner(make().await.0).await;
    leases_delete_their_keys(make().await).await;
    revoked_leases_are_gone(make().await.0).await;
    a_lease_with_many_keys_ends_at_once(make().await.0).await;
    revoking_and_writing_race(make().await.0).await;
    a_transaction_that_fails_halfway_writes_nothing(make().await.0).await;
    watches_may_begin_in_the_future(make().await.0).await;
    too_large_is_refused(make().await.0).await;
}

async fn put(store: &dyn Store, key: &str, value: &str) -> u64 {
    let transaction =
        Transaction { success: vec![Op::put(key, value.as_bytes().to_vec())], ..Transaction::default() };
    store.transact(transaction).await.expect("puts").revision
}

async fn get(store: &dyn Store, key: &str) -> Option<String> {
    let found = store.range(RangeRequest::all(KeyRange::key(key))).await.expect("reads");
    found.items.first().map(|item| String::from_utf8_lossy(&item.value).into_owned())
}

async fn keys(store: &dyn Store, request: RangeRequest) -> (Vec<String>, bool) {
    let found = store.range(request).await.expect("reads");
    (found.items.iter().map(|item| item.key.to_string()).collect(), found.more)
}

fn describe(events: &[Event]) -> Vec<String> {
    let text = |event: &Event| match &event.now {
        Some(now) => format!("{}={}", event.key, String::from_utf8_lossy(&now.value)),
        None => format!("-{}", event.key),
    };
    events.iter().map(text).collect()
}

async fn puts_count_revisions_and_versions(store: Arc<dyn Store>) {
    let first = put(&*store, "a", "1").await;
    let second = put(&*store, "a", "2").await;
    assert_eq!(second, first + 1);
    let found = store.range(RangeRequest::all(KeyRange::key("a"))).await.expect("reads");
    let item = &found.items[0];
    assert_eq!((item.create_revision, item.mod_revision, item.version), (first, second, 2));
    assert_eq!(found.revision, second);
    let nothing = store.transact(Transaction::default()).await.expect("an empty transaction");
    assert_eq!(nothing.revision, second, "a transaction that writes nothing takes no revision");
}

async fn a_failed_compare_writes_nothing(store: Arc<dyn Store>) {
    put(&*store, "a", "1").await;
    let transaction = Transaction {
        compares: vec![Compare { key: "a".into(), test: Test::ModRevision(999) }],
        success: vec![Op::put("a", "2"), Op::put("b", "2")],
        failure: vec![Op::put("c", "3")],
    };
    let response = store.transact(transaction).await.expect("evaluates");
    assert!(!response.succeeded);
    assert_eq!(get(&*store, "a").await.as_deref(), Some("1"));
    assert_eq!(get(&*store, "b").await, None);
    assert_eq!(get(&*store, "c").await.as_deref(), Some("3"));
}

async fn every_test_compares_what_it_says(store: Arc<dyn Store>) {
    let created = put(&*store, "a", "1").await;
    let modified = put(&*store, "a", "2").await;
    let cases = [
        ("a", Test::ModRevision(modified), true),
        ("a", Test::ModRevision(created), false),
        ("a", Test::CreateRevision(created), true),
        ("a", Test::CreateRevision(0), false),
        ("a", Test::Version(2), true),
        ("a", Test::Version(1), false),
        ("a", Test::Value("2".into()), true),
        ("a", Test::Value("1".into()), false),
        ("a", Test::Exists, true),
        ("a", Test::Absent, false),
        ("b", Test::Exists, false),
        ("b", Test::Absent, true),
        ("b", Test::ModRevision(0), true),
        ("b", Test::Version(0), true),
        ("b", Test::Value("".into()), false),
    ];
    for (key, test, expected) in cases {
        let text = format!("{key} {test:?}");
        let transaction =
            Transaction { compares: vec![Compare { key: key.into(), test }], ..Transaction::default() };
        assert_eq!(store.transact(transaction).await.expect("evaluates").succeeded, expected, "{text}");
    }
}

async fn a_transaction_reads_its_own_writes(store: Arc<dyn Store>) {
    put(&*store, "p/old", "1").await;
    let all = RangeRequest::all(KeyRange::prefix("p/"));
    let transaction = Transaction {
        success: vec![
            Op::put("p/new", "2"),
            Op::Range(all.clone()),
            Op::Delete(KeyRange::prefix("p/")),
            Op::Range(all),
        ],
        ..Transaction::default()
    };
    let response = store.transact(transaction).await.expect("evaluates");
    let counts: Vec<usize> = response
        .results
        .iter()
        .map(|result| match result {
            OpResult::Put => 100,
            OpResult::Deleted(count) => *count,
            OpResult::Range(found) => found.items.len(),
        })
        .collect();
    assert_eq!(counts, [100, 2, 2, 0]);
    assert_eq!(get(&*store, "p/old").await, None);
}

async fn ranges_are_ordered_and_paged(store: Arc<dyn Store>) {
    for key in ["p/c", "p/a", "q/x", "p/b", "p", "o"] {
        put(&*store, key, "v").await;
    }
    let page = |after: Option<&str>, limit| RangeRequest {
        range: KeyRange::prefix("p/"),
        after: after.map(Into::into),
        limit,
        revision: None,
    };
    assert_eq!(keys(&*store, page(None, 2)).await, (vec!["p/a".into(), "p/b".into()], true));
    assert_eq!(keys(&*store, page(Some("p/b"), 2)).await, (vec!["p/c".into()], false));
    assert_eq!(keys(&*store, page(Some("p/c"), 2)).await, (vec![], false));
    assert_eq!(keys(&*store, page(Some("p/a5"), 1)).await, (vec!["p/b".into()], true));
    assert!(!keys(&*store, page(None, 3)).await.1);
    assert_eq!(keys(&*store, RangeRequest::all(KeyRange::prefix(""))).await.0.len(), 6);
}

async fn the_past_can_be_read(store: Arc<dyn Store>) {
    let first = put(&*store, "a", "1").await;
    put(&*store, "b", "1").await;
    let deleted = Transaction { success: vec![Op::Delete(KeyRange::key("a"))], ..Transaction::default() };
    let third = store.transact(deleted).await.expect("deletes").revision;
    let at = |revision| RangeRequest { revision: Some(revision), ..RangeRequest::all(KeyRange::prefix("")) };
    assert_eq!(keys(&*store, at(first)).await.0, ["a"]);
    assert_eq!(keys(&*store, at(first + 1)).await.0, ["a", "b"]);
    assert_eq!(keys(&*store, at(third)).await.0, ["b"]);
    let future = store.range(at(third + 1)).await;
    assert!(matches!(future, Err(StoreError::FutureRevision { .. })), "{future:?}");
}

async fn deletes_make_keys_new(store: Arc<dyn Store>) {
    put(&*store, "a", "1").await;
    let delete = Transaction { success: vec![Op::Delete(KeyRange::key("a"))], ..Transaction::default() };
    store.transact(delete).await.expect("deletes");
    let created = put(&*store, "a", "2").await;
    let found = store.range(RangeRequest::all(KeyRange::key("a"))).await.expect("reads");
    assert_eq!((found.items[0].create_revision, found.items[0].version), (created, 1));
}

async fn watches_see_every_change_once_in_order(store: Arc<dyn Store>) {
    let mut watch =
        store.watch(WatchRequest { range: KeyRange::prefix("p/"), from: None }).await.expect("watches");
    put(&*store, "q/x", "0").await;
    let first = put(&*store, "p/a", "1").await;
    let transaction = Transaction {
        success: vec![Op::put("p/b", "2"), Op::Delete(KeyRange::key("p/a"))],
        ..Transaction::default()
    };
    let second = store.transact(transaction).await.expect("evaluates").revision;
    let batch = watch.next().await.expect("a batch");
    assert_eq!((batch.revision, describe(&batch.events)), (first, vec!["p/a=1".to_owned()]));
    let batch = watch.next().await.expect("a batch");
    assert_eq!(
        (batch.revision, describe(&batch.events)),
        (second, vec!["p/b=2".to_owned(), "-p/a".to_owned()])
    );
    assert_eq!(batch.events[1].before.as_ref().map(|old| old.mod_revision), Some(first));
}

async fn watches_begin_in_the_past(store: Arc<dyn Store>) {
    let first = put(&*store, "a", "1").await;
    put(&*store, "b", "2").await;
    let mut watch = store
        .watch(WatchRequest { range: KeyRange::prefix(""), from: Some(first + 1) })
        .await
        .expect("watches");
    put(&*store, "c", "3").await;
    for expected in ["b=2", "c=3"] {
        assert_eq!(describe(&watch.next().await.expect("a batch").events), [expected]);
    }
}

async fn compaction_refuses_the_past(store: Arc<dyn Store>) {
    let first = put(&*store, "a", "1").await;
    let second = put(&*store, "a", "2").await;
    store.compact(second).await.expect("compacts");
    let watch = store.watch(WatchRequest { range: KeyRange::prefix(""), from: Some(first) }).await;
    assert!(matches!(watch, Err(StoreError::Compacted { .. })), "{watch:?}");
    let range =
        store.range(RangeRequest { revision: Some(first), ..RangeRequest::all(KeyRange::key("a")) }).await;
    assert!(matches!(range, Err(StoreError::Compacted { .. })), "{range:?}");
    assert_eq!(get(&*store, "a").await.as_deref(), Some("2"));
    let future = store.compact(second + 10).await;
    assert!(matches!(future, Err(StoreError::FutureRevision { .. })), "{future:?}");
}

/// A watcher that never reads is cut off after a bounded number of changes, and no writer waits for it.
async fn a_slow_watcher_is_cut_off(store: Arc<dyn Store>) {
    let mut watch =
        store.watch(WatchRequest { range: KeyRange::prefix(""), from: None }).await.expect("watches");
    let mut writes = 0;
    let mut first = 0;
    while writes < 10_000 {
        let ops = (0..50).map(|i| Op::put(format!("k{i}"), "v")).collect();
        let transaction = Transaction { success: ops, ..Transaction::default() };
        let revision = store.transact(transaction).await.expect("writes").revision;
        first = if writes == 0 { revision } else { first };
        writes += 1;
    }
    let mut seen = 0;
    let lost = loop {
        match watch.next().await {
            Ok(batch) => {
                assert_eq!(batch.revision, first + seen, "no gap before the end");
                seen += 1;
            }
            Err(error) => break error,
        }
    };
    assert!(matches!(lost, StoreError::WatchLost), "{lost:?}");
    assert!(seen < writes);
}

async fn racing_writers_have_one_winner(store: Arc<dyn Store>) {
    let mut writers = Vec::new();
    for number in 0..50u32 {
        let store = store.clone();
        // The suite owns its tasks and awaits each below.
        writers.push(tokio::spawn(async move {
            let transaction = Transaction {
                compares: vec![Compare { key: "lock".into(), test: Test::Absent }],
                success: vec![Op::put("lock", number.to_string())],
                failure: vec![],
            };
            store.transact(transaction).await.expect("evaluates").succeeded
        }));
    }
    let mut winners = 0;
    for writer in writers {
        winners += u32::from(writer.await.expect("joins"));
    }
    assert_eq!(winners, 1);
}

async fn leases_delete_their_keys((store, clock): Made) {
    let lease = store.grant_lease(Duration::from_secs(10)).await.expect("grants");
    let put = Transaction {
        success: vec![
            Op::Put { key: "mine".into(), value: "1".into(), lease: Some(lease) },
            Op::put("other", "1"),
        ],
        ..Transaction::default()
    };
    store.transact(put).await.expect("puts");
    clock.advance(Duration::from_secs(9));
    store.keep_alive(lease).await.expect("renews");
    clock.advance(Duration::from_secs(9));
    assert!(get(&*store, "mine").await.is_some());
    clock.advance(Duration::from_secs(2));
    let gone = async {
        while get(&*store, "mine").await.is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("the key goes with its lease");
    assert!(get(&*store, "other").await.is_some());
    assert!(matches!(store.keep_alive(lease).await, Err(StoreError::LeaseNotFound(_))));
}

async fn revoked_leases_are_gone(store: Arc<dyn Store>) {
    let lease = store.grant_lease(Duration::from_secs(10)).await.expect("grants");
    let put = |lease| Transaction {
        success: vec![Op::Put { key: "a".into(), value: "1".into(), lease: Some(lease) }],
        ..Transaction::default()
    };
    store.transact(put(lease)).await.expect("puts");
    store.revoke_lease(lease).await.expect("revokes");
    assert_eq!(get(&*store, "a").await, None);
    assert!(matches!(store.revoke_lease(lease).await, Err(StoreError::LeaseNotFound(_))));
    assert!(matches!(store.transact(put(LeaseId(9999))).await, Err(StoreError::LeaseNotFound(_))));
}

/// More keys than one transaction may have steps.
async fn a_lease_with_many_keys_ends_at_once(store: Arc<dyn Store>) {
    let lease = store.grant_lease(Duration::from_secs(10)).await.expect("grants");
    for part in 0..4 {
        let ops = (0..500).map(|number| Op::Put {
            key: format!("many/{part}/{number}").into(),
            value: "1".into(),
            lease: Some(lease),
        });
        let transaction = Transaction { success: ops.collect(), ..Transaction::default() };
        store.transact(transaction).await.expect("puts");
    }
    let before = store.status().await.expect("status").revision;
    store.revoke_lease(lease).await.expect("revokes");
    let after = store.status().await.expect("status");
    assert_eq!((after.keys, after.revision), (0, before + 1));
}

/// Whatever the order, no key stays behind with a lease that is gone.
async fn revoking_and_writing_race(store: Arc<dyn Store>) {
    for round in 0..50 {
        let lease = store.grant_lease(Duration::from_secs(10)).await.expect("grants");
        let mut racers = Vec::new();
        for number in 0..4 {
            let store = store.clone();
            let put =
                Op::Put { key: format!("{round}/{number}").into(), value: "1".into(), lease: Some(lease) };
            // The suite owns its tasks and awaits each below.
            racers.push(tokio::spawn(async move {
                if number == 2 {
                    store.revoke_lease(lease).await.expect("revokes");
                }
                let transaction = Transaction { success: vec![put], ..Transaction::default() };
                if let Err(error) = store.transact(transaction).await {
                    assert!(matches!(error, StoreError::LeaseNotFound(_)), "{error}");
                }
            }));
        }
        for racer in racers {
            racer.await.expect("joins");
        }
        assert_eq!(store.status().await.expect("status").keys, 0);
    }
}

async fn a_transaction_that_fails_halfway_writes_nothing(store: Arc<dyn Store>) {
    let first = put(&*store, "a", "1").await;
    let future = RangeRequest { revision: Some(first + 1_000), ..RangeRequest::all(KeyRange::prefix("")) };
    let transaction = Transaction {
        success: vec![Op::put("a", "2"), Op::put("a", "3"), Op::put("b", "2"), Op::Range(future)],
        ..Transaction::default()
    };
    let (failed, second) = tokio::join!(store.transact(transaction), put(&*store, "c", "1"));
    assert!(matches!(failed, Err(StoreError::FutureRevision { .. })), "{failed:?}");
    assert_eq!(second, first + 1);
    assert_eq!(get(&*store, "a").await.as_deref(), Some("1"));
    assert_eq!(get(&*store, "b").await, None);
}

async fn watches_may_begin_in_the_future(store: Arc<dyn Store>) {
    let first = put(&*store, "a", "1").await;
    let request = WatchRequest { range: KeyRange::prefix(""), from: Some(first + 2) };
    let mut watch = store.watch(request).await.expect("watches");
    put(&*store, "b", "2").await;
    put(&*store, "c", "3").await;
    assert_eq!(describe(&watch.next().await.expect("a batch").events), ["c=3"]);
}

async fn too_large_is_refused(store: Arc<dyn Store>) {
    let huge = Transaction { success: vec![Op::put("a", vec![0; 64 << 20])], ..Transaction::default() };
    assert!(matches!(store.transact(huge).await, Err(StoreError::TooLarge { .. })));
    let long = Transaction { success: vec![Op::put("k".repeat(1 << 20), "")], ..Transaction::default() };
    assert!(matches!(store.transact(long).await, Err(StoreError::TooLarge { .. })));
}
