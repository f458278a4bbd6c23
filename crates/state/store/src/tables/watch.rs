//! Typed changes.

use super::{Tables, Versioned, table_key};
use crate::{Event, Revision, StoreError, Watch};
use resources::Stored;
use std::marker::PhantomData;

/// A change of one row.
#[derive(Clone, Debug)]
pub enum TableChange<T> {
    /// The row was written.
    Put(Versioned<T>),
    /// The row is gone.
    Deleted {
        /// Its key inside the table.
        key: String,
        /// When it went.
        revision: Revision,
    },
}

/// A running watch of a table. Dropping it ends it.
pub struct TableWatch<T> {
    watch: Watch,
    tables: Tables,
    rows: PhantomData<fn() -> T>,
}

impl<T: Stored> TableWatch<T> {
    pub(super) fn new(watch: Watch, tables: Tables) -> Self {
        Self { watch, tables, rows: PhantomData }
    }

    /// Waits for the changes of the next transaction. After an error the watch is over: list and watch anew.
    pub async fn next(&mut self) -> Result<Vec<TableChange<T>>, StoreError> {
        let batch = self.watch.next().await?;
        batch.events.iter().map(|event| self.change(event, batch.revision)).collect()
    }

    fn change(&self, event: &Event, revision: Revision) -> Result<TableChange<T>, StoreError> {
        match &event.now {
            Some(now) => self.tables.decode(now).map(TableChange::Put),
            None => Ok(TableChange::Deleted { key: table_key::<T>(&event.key).to_owned(), revision }),
        }
    }
}
