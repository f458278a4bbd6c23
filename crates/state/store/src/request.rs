//! The store's contract: requests, answers and the trait.

use crate::{StoreError, Watch};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// A point in the store's history; grows by one with every transaction that writes.
pub type Revision = u64;

/// Names a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseId(pub u64);

/// A key with its value and history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The key.
    pub key: Arc<str>,
    /// The value.
    pub value: Bytes,
    /// Revision of the transaction that created the key.
    pub create_revision: Revision,
    /// Revision of the transaction that wrote it last.
    pub mod_revision: Revision,
    /// Number of writes since it was created, beginning with 1.
    pub version: u64,
    /// The lease the key dies with.
    pub lease: Option<LeaseId>,
}

/// A set of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyRange {
    /// One key.
    Key(Arc<str>),
    /// All keys that begin with this text; the empty text means all keys.
    Prefix(Arc<str>),
}

/// Reads keys in order.
#[derive(Clone, Debug)]
pub struct RangeRequest {
    /// Which keys.
    pub range: KeyRange,
    /// Leave out keys up to and including this one.
    pub after: Option<Arc<str>>,
    /// At most this many.
    pub limit: usize,
    /// As they were at this revision; `None` is now.
    pub revision: Option<Revision>,
}

/// Keys in order.
#[derive(Clone, Debug)]
pub struct RangeResponse {
    /// The newest revision when this was read; watch from the next one to miss nothing.
    pub revision: Revision,
    /// The keys.
    pub items: Vec<Arc<KeyValue>>,
    /// Whether the limit cut the list off.
    pub more: bool,
}

/// What is compared of a key. A key that does not exist has revisions and version 0.
#[derive(Clone, Debug)]
pub enum Test {
    /// Its last write is this one.
    ModRevision(Revision),
    /// It was created by this one.
    CreateRevision(Revision),
    /// It has been written this often.
    Version(u64),
    /// It has this value.
    Value(Bytes),
    /// It exists.
    Exists,
    /// It does not exist.
    Absent,
}

/// One condition of a transaction.
#[derive(Clone, Debug)]
pub struct Compare {
    /// The key.
    pub key: Arc<str>,
    /// What must hold.
    pub test: Test,
}

/// One step of a transaction.
#[derive(Clone, Debug)]
pub enum Op {
    /// Writes a key.
    Put {
        /// The key.
        key: Arc<str>,
        /// The value.
        value: Bytes,
        /// The lease it dies with.
        lease: Option<LeaseId>,
    },
    /// Deletes keys.
    Delete(KeyRange),
    /// Reads keys as the steps before have left them.
    Range(RangeRequest),
}

/// All of `success` when every comparison holds, else all of `failure`, under one revision.
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    /// The conditions.
    pub compares: Vec<Compare>,
    /// Steps when they hold.
    pub success: Vec<Op>,
    /// Steps when they do not.
    pub failure: Vec<Op>,
}

/// What a step did.
#[derive(Clone, Debug)]
pub enum OpResult {
    /// Wrote the key.
    Put,
    /// Deleted so many keys.
    Deleted(usize),
    /// Read keys.
    Range(RangeResponse),
}

/// What a transaction did.
#[derive(Clone, Debug)]
pub struct TransactionResponse {
    /// Whether the comparisons held.
    pub succeeded: bool,
    /// The transaction's revision, or the newest one when nothing was written.
    pub revision: Revision,
    /// One result per step.
    pub results: Vec<OpResult>,
}

/// Asks for the changes of keys.
#[derive(Clone, Debug)]
pub struct WatchRequest {
    /// Which keys.
    pub range: KeyRange,
    /// From this revision on, itself included; `None` means from the next one.
    pub from: Option<Revision>,
}

/// Facts about the store.
#[derive(Clone, Copy, Debug)]
pub struct StoreStatus {
    /// The newest revision.
    pub revision: Revision,
    /// The oldest revision that can still be read or watched.
    pub oldest: Revision,
    /// Number of keys.
    pub keys: usize,
}

/// A store with etcd's semantics.
///
/// A transaction is answered after it is durable, and what is not yet durable is never read. Watches see every
/// change once, in order of revision, or are cut off with [`StoreError::WatchLost`].
#[async_trait::async_trait]
pub trait Store: Send + Sync + 'static {
    /// Reads keys in order.
    async fn range(&self, request: RangeRequest) -> Result<RangeResponse, StoreError>;
    /// Compares and writes in one step.
    async fn transact(&self, transaction: Transaction) -> Result<TransactionResponse, StoreError>;
    /// Follows the changes of keys.
    async fn watch(&self, request: WatchRequest) -> Result<Watch, StoreError>;
    /// Makes a lease that ends `ttl` after its last renewal; its keys are deleted then.
    async fn grant_lease(&self, ttl: Duration) -> Result<LeaseId, StoreError>;
    /// Renews a lease.
    async fn keep_alive(&self, lease: LeaseId) -> Result<(), StoreError>;
    /// Ends a lease and deletes its keys.
    async fn revoke_lease(&self, lease: LeaseId) -> Result<(), StoreError>;
    /// Forgets history up to and including a revision.
    async fn compact(&self, revision: Revision) -> Result<(), StoreError>;
    /// Facts about the store.
    async fn status(&self) -> Result<StoreStatus, StoreError>;
}

impl KeyRange {
    /// One key.
    pub fn key(key: impl Into<Arc<str>>) -> Self {
        Self::Key(key.into())
    }

    /// All keys that begin with `prefix`.
    pub fn prefix(prefix: impl Into<Arc<str>>) -> Self {
        Self::Prefix(prefix.into())
    }

    /// Whether `key` is in the range.
    pub fn contains(&self, key: &str) -> bool {
        match self {
            Self::Key(own) => **own == *key,
            Self::Prefix(prefix) => key.starts_with(&**prefix),
        }
    }

    /// The text every key of the range begins with.
    pub fn start(&self) -> &str {
        match self {
            Self::Key(text) | Self::Prefix(text) => text,
        }
    }
}

impl RangeRequest {
    /// All keys of a range, as they are now.
    pub fn all(range: KeyRange) -> Self {
        Self { range, after: None, limit: usize::MAX, revision: None }
    }
}

impl Op {
    /// Writes a key without a lease.
    pub fn put(key: impl Into<Arc<str>>, value: impl Into<Bytes>) -> Self {
        Self::Put { key: key.into(), value: value.into(), lease: None }
    }
}
