//! Turns the changes of a table into nudges.
//!
//! The watch comes first and the listing after it, so nothing is missed; a watch that is lost is begun anew with
//! another listing, never guessed at.

use resources::Stored;
use std::time::Duration;
use store::{StoreError, TableChange, TableWatch, Tables};
use tokio_util::sync::CancellationToken;

/// Wait before a lost watch is begun anew, when the store fails.
const AGAIN: Duration = Duration::from_millis(200);

/// What a listing or a watch shows.
pub enum Seen<T> {
    /// A listing begins: what was seen before and does not come again is gone.
    Anew,
    /// The row is like this, now or a moment ago.
    Row(store::Versioned<T>),
    /// The row with this key is gone.
    Gone(String),
}

/// Shows every row of a table and then every change, until `stop`.
pub async fn feed<T: Stored>(tables: Tables, stop: CancellationToken, see: impl FnMut(Seen<T>) + Send) {
    feed_whole(tables, stop, see, || {}).await;
}

/// [`feed`] that also says when a listing is whole.
pub async fn feed_whole<T: Stored>(
    tables: Tables,
    stop: CancellationToken,
    mut see: impl FnMut(Seen<T>) + Send,
    mut listed: impl FnMut() + Send,
) {
    while !stop.is_cancelled() {
        let watched = tokio::select! {
            () = stop.cancelled() => return,
            watched = follow(&tables, &mut see, &mut listed) => watched,
        };
        let Err(error) = watched else { return };
        if !matches!(error, StoreError::WatchLost | StoreError::Compacted { .. }) {
            tracing::warn!(table = T::TABLE, %error, "a watch failed");
            tokio::select! {
                () = stop.cancelled() => return,
                () = tables.environment().sleep(AGAIN) => {}
            }
        }
    }
}

async fn follow<T: Stored>(
    tables: &Tables,
    see: &mut (impl FnMut(Seen<T>) + Send),
    listed: &mut (impl FnMut() + Send),
) -> Result<(), StoreError> {
    let (rows, mut watch): (_, TableWatch<T>) = tables.list_and_watch("").await?;
    see(Seen::Anew);
    for row in rows {
        see(Seen::Row(row));
    }
    listed();
    loop {
        for change in watch.next().await? {
            see(match change {
                TableChange::Put(row) => Seen::Row(row),
                TableChange::Deleted { key, .. } => Seen::Gone(key),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::{Environment, Timestamp};
    use parking_lot::Mutex;
    use resources::logs::LogGroup;
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;
    use store::MemoryStore;

    fn group(name: &str) -> LogGroup {
        LogGroup {
            account: "1".to_owned(),
            name: name.to_owned(),
            id: name.to_owned(),
            created_at: Timestamp::from_seconds(0),
            retention_in_days: None,
            tags: BTreeMap::new(),
            stored_bytes: 0,
        }
    }

    async fn until(what: &str, holds: impl Fn() -> bool) {
        let wait = async {
            while !holds() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("{what}"));
    }

    #[tokio::test]
    async fn rows_from_before_changes_and_what_a_lost_watch_missed_are_all_seen() {
        let environment = Environment::real();
        let tables = Tables::new(MemoryStore::new(environment.clone()), environment);
        tables.create(group("before")).await.expect("creates");
        let stop = CancellationToken::new();
        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        let gone = Arc::new(Mutex::new(BTreeSet::new()));
        let feeding = tokio::spawn(feed(tables.clone(), stop.clone(), {
            let (seen, gone) = (seen.clone(), gone.clone());
            move |what: Seen<LogGroup>| match what {
                Seen::Row(row) => drop(seen.lock().insert(row.name.clone())),
                Seen::Gone(key) => drop(gone.lock().insert(key)),
                Seen::Anew => {}
            }
        }));
        until("the listing", || seen.lock().contains("before")).await;
        let row = tables.create(group("after")).await.expect("creates");
        until("a change", || seen.lock().contains("after")).await;
        tables.delete(&row).await.expect("deletes");
        until("a deletion", || gone.lock().contains("1/after")).await;
        // More changes at once than a watch holds: nothing here lets the feed run, so its watch is cut off.
        for index in 0..6_000 {
            tables.create(group(&format!("g{index:04}"))).await.expect("creates");
        }
        until("what the lost watch missed", || seen.lock().len() == 6_002).await;
        stop.cancel();
        feeding.await.expect("the feed ends");
    }
}
