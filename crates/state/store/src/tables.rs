//! Typed tables over the store: what services and controllers use.
//!
//! A value is stored as JSON with the version of its format, `{"v":1,"value":...}`, under `table/key`.

mod batch;
mod watch;

pub use batch::Batch;
pub use watch::{TableChange, TableWatch};

use crate::{
    Compare, KeyRange, KeyValue, Op, RangeRequest, Revision, Store, StoreError, Test, Transaction,
    WatchRequest,
};
use bytes::Bytes;
use environment::Environment;
use quick_cache::sync::Cache;
use resources::Stored;
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::ops::Deref;
use std::sync::Arc;

/// Decoded values kept in memory.
const CACHED: usize = 20_000;
/// Rows read at a time by [`Tables::list_all`].
const PAGE: usize = 1_000;
/// Attempts of [`Tables::update`] before it gives up with the conflict.
const MOST_ATTEMPTS: usize = 100;
/// Version of the stored format.
const FORMAT: u32 = 1;

/// The typed door to the store; cheap to clone.
#[derive(Clone)]
pub struct Tables {
    store: Arc<dyn Store>,
    environment: Environment,
    cache: Arc<Cache<Arc<str>, Cached>>,
}

#[derive(Clone)]
struct Cached {
    revision: Revision,
    value: Arc<dyn Any + Send + Sync>,
}

/// A stored value and the revision it was read at.
#[derive(Debug)]
pub struct Versioned<T> {
    /// The value.
    pub value: Arc<T>,
    /// Revision of its last write.
    pub revision: Revision,
    /// Revision of its creation.
    pub create_revision: Revision,
}

/// A part of a table.
#[derive(Clone, Debug)]
pub struct Page {
    /// Leave out rows up to and including this key.
    pub after: Option<String>,
    /// At most this many rows.
    pub limit: usize,
}

/// Rows in the order of their keys.
#[derive(Debug)]
pub struct Listing<T> {
    /// The rows.
    pub items: Vec<Versioned<T>>,
    /// Key to go on after; `None` when these were the last.
    pub next: Option<String>,
    /// The store's revision when this was read.
    pub revision: Revision,
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    v: u32,
    value: &'a T,
}

#[derive(Deserialize)]
struct OwnedEnvelope<T> {
    v: u32,
    value: T,
}

impl<T> Clone for Versioned<T> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), ..*self }
    }
}

impl<T> Deref for Versioned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl Tables {
    /// Tables over a store.
    pub fn new(store: Arc<dyn Store>, environment: Environment) -> Self {
        Self { store, environment, cache: Arc::new(Cache::new(CACHED)) }
    }

    /// The clock and randomness of this region.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The store below.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// A row, if it exists.
    pub async fn get<T: Stored>(&self, key: &str) -> Result<Option<Versioned<T>>, StoreError> {
        let range = KeyRange::Key(full_key::<T>(key));
        let found = self.store.range(RangeRequest { range, after: None, limit: 1, revision: None }).await?;
        found.items.first().map(|item| self.decode(item)).transpose()
    }

    /// Rows by key, in the order asked for; `None` where there is none.
    pub async fn get_many<T: Stored>(
        &self,
        keys: &[String],
    ) -> Result<Vec<Option<Versioned<T>>>, StoreError> {
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            found.push(self.get(key).await?);
        }
        Ok(found)
    }

    /// Rows whose key begins with `prefix`.
    pub async fn list<T: Stored>(&self, prefix: &str, page: Page) -> Result<Listing<T>, StoreError> {
        let request = RangeRequest {
            range: KeyRange::Prefix(full_key::<T>(prefix)),
            after: page.after.map(|after| full_key::<T>(&after)),
            limit: page.limit,
            revision: None,
        };
        let found = self.store.range(request).await?;
        let items = found.items.iter().map(|item| self.decode(item)).collect::<Result<Vec<_>, _>>()?;
        let next = found.items.last().filter(|_| found.more).map(|last| table_key::<T>(&last.key).to_owned());
        Ok(Listing { items, next, revision: found.revision })
    }

    /// All rows whose key begins with `prefix`, read page by page.
    pub async fn list_all<T: Stored>(&self, prefix: &str) -> Result<Vec<Versioned<T>>, StoreError> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let listing = self.list(prefix, Page { after, limit: PAGE }).await?;
            all.extend(listing.items);
            after = listing.next;
            if after.is_none() {
                return Ok(all);
            }
        }
    }

    /// Keys that begin with `prefix`, without reading what their rows hold, and the key to go on after.
    pub async fn keys<T: Stored>(
        &self,
        prefix: &str,
        page: Page,
    ) -> Result<(Vec<String>, Option<String>), StoreError> {
        let request = RangeRequest {
            range: KeyRange::Prefix(full_key::<T>(prefix)),
            after: page.after.map(|after| full_key::<T>(&after)),
            limit: page.limit,
            revision: None,
        };
        let found = self.store.range(request).await?;
        let keys: Vec<String> = found.items.iter().map(|item| table_key::<T>(&item.key).to_owned()).collect();
        let next = keys.last().filter(|_| found.more).cloned();
        Ok((keys, next))
    }

    /// Adds a row; [`StoreError::AlreadyExists`] when its key is taken.
    pub async fn create<T: Stored>(&self, value: T) -> Result<Versioned<T>, StoreError> {
        let key = full_key::<T>(&value.key());
        self.write(key.clone(), Test::Absent, value)
            .await?
            .ok_or_else(|| StoreError::AlreadyExists(key.to_string()))
    }

    /// Replaces a row as it was read; [`StoreError::Conflict`] when somebody else has changed it since.
    pub async fn replace<T: Stored>(&self, old: &Versioned<T>, value: T) -> Result<Versioned<T>, StoreError> {
        let key = full_key::<T>(&old.key());
        debug_assert_eq!(old.key(), value.key(), "a row keeps its key");
        self.write(key.clone(), Test::ModRevision(old.revision), value)
            .await?
            .map(|new| Versioned { create_revision: old.create_revision, ..new })
            .ok_or_else(|| StoreError::Conflict(key.to_string()))
    }

    /// Deletes a row as it was read; [`StoreError::Conflict`] when somebody else has changed it since.
    pub async fn delete<T: Stored>(&self, old: &Versioned<T>) -> Result<(), StoreError> {
        self.batch().delete(old).commit().await.map(|_| ())
    }

    /// Reads, changes and writes a row, again and again until nobody interferes. `change` returns `None` to leave the
    /// row as it is. The answer is the row as it is afterwards, or `None` when there is no such row.
    pub async fn update<T: Stored, E: From<StoreError>>(
        &self,
        key: &str,
        mut change: impl FnMut(&T) -> Result<Option<T>, E>,
    ) -> Result<Option<Versioned<T>>, E> {
        let mut attempts = 0;
        loop {
            let Some(old) = self.get::<T>(key).await? else { return Ok(None) };
            let Some(new) = change(&old)? else { return Ok(Some(old)) };
            attempts += 1;
            match self.replace(&old, new).await {
                Ok(new) => return Ok(Some(new)),
                Err(StoreError::Conflict(_)) if attempts < MOST_ATTEMPTS => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Several writes in one transaction.
    pub fn batch(&self) -> Batch {
        Batch::new(self.clone())
    }

    /// Changes of rows whose key begins with `prefix`, from a revision on or from now.
    pub async fn watch<T: Stored>(
        &self,
        prefix: &str,
        from: Option<Revision>,
    ) -> Result<TableWatch<T>, StoreError> {
        let range = KeyRange::Prefix(full_key::<T>(prefix));
        let watch = self.store.watch(WatchRequest { range, from }).await?;
        Ok(TableWatch::new(watch, self.clone()))
    }

    /// All rows below `prefix` as they were at one revision, and a watch of everything that came after it.
    pub async fn list_and_watch<T: Stored>(
        &self,
        prefix: &str,
    ) -> Result<(Vec<Versioned<T>>, TableWatch<T>), StoreError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.snapshot_and_watch(prefix).await {
                // So much was written during the listing that its revision is forgotten already.
                Err(StoreError::Compacted { .. }) if attempts < MOST_ATTEMPTS => {}
                other => return other,
            }
        }
    }

    async fn snapshot_and_watch<T: Stored>(
        &self,
        prefix: &str,
    ) -> Result<(Vec<Versioned<T>>, TableWatch<T>), StoreError> {
        let range = KeyRange::Prefix(full_key::<T>(prefix));
        let mut request = RangeRequest { range, after: None, limit: PAGE, revision: None };
        let mut rows = Vec::new();
        loop {
            let found = self.store.range(request.clone()).await?;
            // The first page says at which revision the others are read.
            let revision = *request.revision.get_or_insert(found.revision);
            for item in &found.items {
                rows.push(self.decode(item)?);
            }
            request.after = found.items.last().map(|last| last.key.clone());
            if !found.more {
                return Ok((rows, self.watch(prefix, Some(revision + 1)).await?));
            }
        }
    }

    async fn write<T: Stored>(
        &self,
        key: Arc<str>,
        test: Test,
        value: T,
    ) -> Result<Option<Versioned<T>>, StoreError> {
        let transaction = Transaction {
            compares: vec![Compare { key: key.clone(), test }],
            success: vec![Op::Put { key: key.clone(), value: encode(&key, &value)?, lease: None }],
            failure: vec![],
        };
        let response = self.store.transact(transaction).await?;
        if !response.succeeded {
            return Ok(None);
        }
        let value = Arc::new(value);
        self.cache.insert(key, Cached { revision: response.revision, value: value.clone() });
        Ok(Some(Versioned { value, revision: response.revision, create_revision: response.revision }))
    }

    fn decode<T: Stored>(&self, item: &KeyValue) -> Result<Versioned<T>, StoreError> {
        let (revision, create_revision) = (item.mod_revision, item.create_revision);
        if let Some(cached) = self.cache.get(&*item.key).filter(|cached| cached.revision == revision)
            && let Ok(value) = cached.value.downcast::<T>()
        {
            return Ok(Versioned { value, revision, create_revision });
        }
        let unreadable = |reason: String| StoreError::Unreadable { key: item.key.to_string(), reason };
        let envelope: OwnedEnvelope<T> =
            serde_json::from_slice(&item.value).map_err(|error| unreadable(error.to_string()))?;
        if envelope.v != FORMAT {
            return Err(unreadable(format!("format {} is not known to this version", envelope.v)));
        }
        let value = Arc::new(envelope.value);
        self.cache.insert(item.key.clone(), Cached { revision, value: value.clone() });
        Ok(Versioned { value, revision, create_revision })
    }
}

fn full_key<T: Stored>(key: &str) -> Arc<str> {
    let mut full = String::with_capacity(T::TABLE.len() + 1 + key.len());
    full.push_str(T::TABLE);
    full.push('/');
    full.push_str(key);
    full.into()
}

/// The key inside the table of a full key.
fn table_key<T: Stored>(full: &str) -> &str {
    full.get(T::TABLE.len() + 1..).unwrap_or_default()
}

fn encode<T: Stored>(key: &str, value: &T) -> Result<Bytes, StoreError> {
    serde_json::to_vec(&Envelope { v: FORMAT, value })
        .map(Bytes::from)
        .map_err(|error| StoreError::Unreadable { key: key.to_owned(), reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;

    #[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
    struct Boat {
        name: String,
        crew: u32,
    }

    impl Stored for Boat {
        const TABLE: &'static str = "test/boat";
        fn key(&self) -> String {
            format!("harbour/{}", self.name)
        }
    }

    fn boat(name: &str, crew: u32) -> Boat {
        Boat { name: name.to_owned(), crew }
    }

    fn tables() -> Tables {
        let environment = Environment::real();
        Tables::new(MemoryStore::new(environment.clone()), environment)
    }

    #[tokio::test]
    async fn rows_are_created_replaced_and_deleted_once() {
        let tables = tables();
        let first = tables.create(boat("a", 1)).await.expect("creates");
        assert!(matches!(tables.create(boat("a", 2)).await, Err(StoreError::AlreadyExists(_))));
        let second = tables.replace(&first, boat("a", 2)).await.expect("replaces");
        assert!(tables.replace(&first, boat("a", 3)).await.expect_err("stale").is_conflict());
        assert!(tables.delete(&first).await.expect_err("stale").is_conflict());
        assert_eq!(tables.get::<Boat>("harbour/a").await.expect("reads").expect("is there").crew, 2);
        tables.delete(&second).await.expect("deletes");
        assert!(tables.get::<Boat>("harbour/a").await.expect("reads").is_none());
    }

    #[tokio::test]
    async fn pages_and_updates() {
        let tables = tables();
        for name in ["c", "a", "b"] {
            tables.create(boat(name, 1)).await.expect("creates");
        }
        let page = tables.list::<Boat>("harbour/", Page { after: None, limit: 2 }).await.expect("lists");
        assert_eq!(page.next.as_deref(), Some("harbour/b"));
        let rest = tables.list::<Boat>("harbour/", Page { after: page.next, limit: 2 }).await.expect("lists");
        assert_eq!((rest.items[0].name.as_str(), rest.next), ("c", None));
        let updates = (0..20).map(|_| {
            let tables = tables.clone();
            tokio::spawn(async move {
                let grow = |old: &Boat| Ok::<_, StoreError>(Some(boat(&old.name, old.crew + 1)));
                tables.update("harbour/a", grow).await.expect("updates")
            })
        });
        for update in updates.collect::<Vec<_>>() {
            update.await.expect("joins");
        }
        assert_eq!(tables.get::<Boat>("harbour/a").await.expect("reads").expect("is there").crew, 21);
    }

    #[tokio::test]
    async fn batches_are_all_or_nothing_and_watched() {
        let tables = tables();
        let (rows, mut watch) = tables.list_and_watch::<Boat>("harbour/").await.expect("watches");
        assert!(rows.is_empty());
        let old = tables.create(boat("a", 1)).await.expect("creates");
        tables.batch().create(&boat("b", 1)).replace(&old, &boat("a", 2)).commit().await.expect("commits");
        let stale = tables.batch().create(&boat("c", 1)).replace(&old, &boat("a", 3)).commit().await;
        assert!(stale.expect_err("stale").is_conflict());
        assert!(tables.get::<Boat>("harbour/c").await.expect("reads").is_none());
        let mut seen = Vec::new();
        while seen.len() < 3 {
            for change in watch.next().await.expect("changes") {
                match change {
                    TableChange::Put(row) => seen.push((row.name.clone(), row.crew)),
                    TableChange::Deleted { key, .. } => panic!("{key} was deleted"),
                }
            }
        }
        assert_eq!(seen, [("a".to_owned(), 1), ("b".to_owned(), 1), ("a".to_owned(), 2)]);
    }
}
