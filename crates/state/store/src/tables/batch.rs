//! Several writes of several tables in one transaction.

use super::{Tables, Versioned, encode, full_key};
use crate::{Compare, KeyRange, Op, Revision, StoreError, Test, Transaction};
use resources::Stored;
use std::sync::Arc;

/// Writes that happen all together or not at all, each only if its row is as expected.
#[must_use = "a batch does nothing until it is committed"]
pub struct Batch {
    tables: Tables,
    transaction: Transaction,
    failed: Option<StoreError>,
}

impl Batch {
    pub(super) fn new(tables: Tables) -> Self {
        Self { tables, transaction: Transaction::default(), failed: None }
    }

    /// Adds a row whose key must be free.
    pub fn create<T: Stored>(mut self, value: &T) -> Self {
        let key = full_key::<T>(&value.key());
        self.require(&key, Test::Absent);
        self.put(key, value);
        self
    }

    /// Replaces a row as it was read.
    pub fn replace<T: Stored>(mut self, old: &Versioned<T>, value: &T) -> Self {
        let key = full_key::<T>(&old.key());
        self.require(&key, Test::ModRevision(old.revision));
        self.put(key, value);
        self
    }

    /// Writes a row whatever is there.
    pub fn put_any<T: Stored>(mut self, value: &T) -> Self {
        let key = full_key::<T>(&value.key());
        self.put(key, value);
        self
    }

    /// Deletes a row as it was read.
    pub fn delete<T: Stored>(mut self, old: &Versioned<T>) -> Self {
        let key = full_key::<T>(&old.key());
        self.require(&key, Test::ModRevision(old.revision));
        self.transaction.success.push(Op::Delete(KeyRange::Key(key)));
        self
    }

    /// Deletes a row whatever it is, if it is there.
    pub fn delete_any<T: Stored>(mut self, key: &str) -> Self {
        self.transaction.success.push(Op::Delete(KeyRange::Key(full_key::<T>(key))));
        self
    }

    /// Demands that a row is as it was read, and leaves it so.
    pub fn require_unchanged<T: Stored>(mut self, row: &Versioned<T>) -> Self {
        let key = full_key::<T>(&row.key());
        self.require(&key, Test::ModRevision(row.revision));
        self
    }

    /// Demands that a row is still there, however it was changed.
    pub fn require_exists<T: Stored>(mut self, row: &Versioned<T>) -> Self {
        let key = full_key::<T>(&row.key());
        self.require(&key, Test::CreateRevision(row.create_revision));
        self
    }

    /// Demands that there is no such row.
    pub fn require_absent<T: Stored>(mut self, key: &str) -> Self {
        let key = full_key::<T>(key);
        self.require(&key, Test::Absent);
        self
    }

    /// Writes everything and returns the revision; [`StoreError::Conflict`] when a row was not as expected.
    pub async fn commit(self) -> Result<Revision, StoreError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let first = self.transaction.compares.first().map(|compare| compare.key.to_string());
        let response = self.tables.store().transact(self.transaction).await?;
        if response.succeeded {
            Ok(response.revision)
        } else {
            Err(StoreError::Conflict(first.unwrap_or_default()))
        }
    }

    fn require(&mut self, key: &Arc<str>, test: Test) {
        self.transaction.compares.push(Compare { key: key.clone(), test });
    }

    fn put<T: Stored>(&mut self, key: Arc<str>, value: &T) {
        match encode(&key, value) {
            Ok(value) => self.transaction.success.push(Op::Put { key, value, lease: None }),
            Err(error) => self.failed = Some(error),
        }
    }
}
