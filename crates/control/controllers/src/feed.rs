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
    /// The row is like this, now or a moment ago.
    Row(store::Versioned<T>),
    /// The row with this key is gone.
    Gone(String),
}

/// Shows every row of a table and then every change, until `stop`.
pub async fn feed<T: Stored>(tables: Tables, stop: CancellationToken, mut see: impl FnMut(Seen<T>) + Send) {
    while !stop.is_cancelled() {
        let watched = tokio::select! {
            () = stop.cancelled() => return,
            watched = follow(&tables, &mut see) => watched,
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
) -> Result<(), StoreError> {
    let (rows, mut watch): (_, TableWatch<T>) = tables.list_and_watch("").await?;
    for row in rows {
        see(Seen::Row(row));
    }
    loop {
        for change in watch.next().await? {
            see(match change {
                TableChange::Put(row) => Seen::Row(row),
                TableChange::Deleted { key, .. } => Seen::Gone(key),
            });
        }
    }
}
