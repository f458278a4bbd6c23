//! What can go wrong with the store.

use crate::{LeaseId, Revision};

/// A failed operation of the store.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// A create found the key taken.
    #[error("{0} exists already")]
    AlreadyExists(String),
    /// A compare failed: somebody else wrote first.
    #[error("{0} was changed by somebody else")]
    Conflict(String),
    /// The revision asked for is not kept any more; list anew.
    #[error("revision {asked} is compacted, the oldest kept is {oldest}")]
    Compacted {
        /// What was asked for.
        asked: Revision,
        /// The oldest that is kept.
        oldest: Revision,
    },
    /// The revision asked for is not reached yet.
    #[error("revision {asked} lies in the future, the newest is {newest}")]
    FutureRevision {
        /// What was asked for.
        asked: Revision,
        /// The newest.
        newest: Revision,
    },
    /// The watcher was too slow and was cut off; list anew.
    #[error("the watch fell behind and was cut off")]
    WatchLost,
    /// There is no such lease, or it has expired.
    #[error("there is no lease {0:?}")]
    LeaseNotFound(LeaseId),
    /// A key or value is larger than the store takes.
    #[error("{what} has {size} bytes, at most {limit} are taken")]
    TooLarge {
        /// `key`, `value` or `transaction`.
        what: &'static str,
        /// How large it is.
        size: usize,
        /// How large it may be.
        limit: usize,
    },
    /// A stored value cannot be read as its type.
    #[error("cannot read {key}: {reason}")]
    Unreadable {
        /// Full key.
        key: String,
        /// Why not.
        reason: String,
    },
    /// The backend failed; nothing is known of the transaction's outcome.
    #[error("the store failed: {0}")]
    Backend(String),
    /// The backend is used by another process.
    #[error("the store in {0} is already used by another process")]
    Locked(String),
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Somebody else wrote first: read again and decide anew.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_) | Self::AlreadyExists(_))
    }

    /// The same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Conflict(_) | Self::WatchLost | Self::Compacted { .. } | Self::Backend(_))
    }
}
