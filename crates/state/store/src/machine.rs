//! The store's contract as a state machine in memory: current keys, bounded history, watchers, leases.
//!
//! A backend brings transactions into an order, stages some of them on a [`Stage`] (nobody sees them yet), makes the
//! changes durable, and then applies them. What is not applied is never read and never watched.

mod stage;

pub use stage::{Outcome, Stage};

use crate::watch::Watcher;
use crate::{
    KeyRange, KeyValue, LeaseId, RangeRequest, RangeResponse, Revision, StoreError, StoreStatus, Watch,
    WatchBatch, WatchRequest,
};
use environment::Timestamp;
use parking_lot::RwLock;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

/// Transactions kept for watches from the past. A watcher further behind lists anew.
const HISTORY: usize = 4096;

/// The state of a store. Readers share a lock that is held only for lookups.
#[derive(Debug)]
pub struct Machine {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    revision: Revision,
    /// History up to and including this revision is forgotten.
    compacted: Revision,
    keys: BTreeMap<Arc<str>, Arc<KeyValue>>,
    history: VecDeque<Arc<WatchBatch>>,
    watchers: Vec<Watcher>,
    leases: HashMap<LeaseId, Lease>,
    next_lease: u64,
}

#[derive(Clone, Debug)]
struct Lease {
    ttl: Duration,
    expires: Timestamp,
    keys: HashSet<Arc<str>>,
}

/// When the next lease ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseExpiry {
    /// The lease.
    pub lease: LeaseId,
    /// Its end, unless it is renewed.
    pub at: Timestamp,
}

/// What a backend must make durable.
#[derive(Clone, Debug)]
pub enum Change {
    /// A key's new state.
    Put(Arc<KeyValue>),
    /// A key is gone.
    Delete(Arc<str>),
    /// A lease exists with this time to live.
    Grant(LeaseId, Duration),
    /// A lease is gone.
    Revoke(LeaseId),
}

impl Default for Machine {
    fn default() -> Self {
        Self { state: RwLock::new(State { next_lease: 1, ..State::default() }) }
    }
}

impl Machine {
    /// A machine as a backend has found it on disk. Leases begin their time anew at `now`.
    pub fn restored(
        revision: Revision,
        keys: impl Iterator<Item = KeyValue>,
        leases: impl Iterator<Item = (LeaseId, Duration)>,
        now: Timestamp,
    ) -> Self {
        let mut state = State { revision, compacted: revision, next_lease: 1, ..State::default() };
        for (lease, ttl) in leases {
            state.next_lease = state.next_lease.max(lease.0 + 1);
            state.leases.insert(lease, Lease { ttl, expires: now + ttl, keys: HashSet::new() });
        }
        for key in keys {
            if let Some(lease) = key.lease.and_then(|lease| state.leases.get_mut(&lease)) {
                lease.keys.insert(key.key.clone());
            }
            state.keys.insert(key.key.clone(), Arc::new(key));
        }
        Self { state: RwLock::new(state) }
    }

    /// Reads keys in order.
    pub fn range(&self, request: &RangeRequest) -> Result<RangeResponse, StoreError> {
        self.state.read().range(request, &BTreeMap::new())
    }

    /// Follows changes, from the past if asked.
    pub fn watch(&self, request: WatchRequest) -> Result<Watch, StoreError> {
        let mut state = self.state.write();
        let from = request.from.unwrap_or(state.revision + 1);
        if from <= state.compacted {
            return Err(StoreError::Compacted { asked: from, oldest: state.compacted + 1 });
        }
        let history: Vec<WatchBatch> = state
            .history
            .iter()
            .filter(|batch| batch.revision >= from)
            .map(|batch| (**batch).clone())
            .collect();
        let (watcher, watch) = Watcher::new(request.range, from, history.into_iter());
        state.watchers.push(watcher);
        Ok(watch)
    }

    /// Begins to stage transactions. Only one stage may be open at a time; the backend sees to that.
    pub fn stage(&self) -> Stage<'_> {
        Stage::new(self)
    }

    /// Applies staged outcomes, in their order, and tells the watchers.
    pub fn apply(&self, outcomes: &mut [Outcome], now: Timestamp) {
        let mut state = self.state.write();
        for outcome in outcomes {
            for change in &outcome.changes {
                state.apply(change, now);
            }
            if let Some(batch) = outcome.batch.take() {
                state.publish(batch);
            }
        }
    }

    /// Reserves the id of a new lease. The backend makes [`Change::Grant`] durable and applies it.
    pub fn next_lease(&self) -> LeaseId {
        let mut state = self.state.write();
        let id = LeaseId(state.next_lease);
        state.next_lease += 1;
        id
    }

    /// Applies a change that has no revision of its own: the granting of a lease.
    pub fn apply_change(&self, change: &Change, now: Timestamp) {
        self.state.write().apply(change, now);
    }

    /// Renews a lease.
    pub fn keep_alive(&self, lease: LeaseId, now: Timestamp) -> Result<(), StoreError> {
        let mut state = self.state.write();
        let found = state.leases.get_mut(&lease).ok_or(StoreError::LeaseNotFound(lease))?;
        found.expires = now + found.ttl;
        Ok(())
    }

    /// Whether a lease's time is over.
    pub fn is_due(&self, lease: LeaseId, now: Timestamp) -> bool {
        self.state.read().leases.get(&lease).is_some_and(|found| found.expires <= now)
    }

    /// The lease that ends next.
    pub fn next_expiry(&self) -> Option<LeaseExpiry> {
        let state = self.state.read();
        state
            .leases
            .iter()
            .map(|(lease, l)| LeaseExpiry { lease: *lease, at: l.expires })
            .min_by_key(|e| e.at)
    }

    /// Forgets history up to and including `revision`.
    pub fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        let mut state = self.state.write();
        if revision > state.revision {
            return Err(StoreError::FutureRevision { asked: revision, newest: state.revision });
        }
        if revision > state.compacted {
            state.compacted = revision;
            state.history.retain(|batch| batch.revision > revision);
        }
        Ok(())
    }

    /// Facts about the store.
    pub fn status(&self) -> StoreStatus {
        let state = self.state.read();
        StoreStatus { revision: state.revision, oldest: state.compacted + 1, keys: state.keys.len() }
    }
}

impl State {
    fn range(
        &self,
        request: &RangeRequest,
        overlay: &BTreeMap<Arc<str>, Option<Arc<KeyValue>>>,
    ) -> Result<RangeResponse, StoreError> {
        if let (KeyRange::Key(key), None, None) = (&request.range, &request.after, request.revision) {
            let found = overlay.get(key).map_or_else(|| self.keys.get(key).cloned(), Clone::clone);
            return Ok(RangeResponse {
                revision: self.revision,
                items: found.into_iter().collect(),
                more: false,
            });
        }
        let past;
        let overlay = match request.revision {
            Some(revision) => {
                past = self.undo_since(revision)?;
                &past
            }
            None => overlay,
        };
        let (items, more) = merged(&self.keys, overlay, request);
        Ok(RangeResponse { revision: self.revision, items, more })
    }

    /// What differs from now, as it was at `revision`.
    fn undo_since(
        &self,
        revision: Revision,
    ) -> Result<BTreeMap<Arc<str>, Option<Arc<KeyValue>>>, StoreError> {
        if revision > self.revision {
            return Err(StoreError::FutureRevision { asked: revision, newest: self.revision });
        }
        if revision < self.compacted {
            return Err(StoreError::Compacted { asked: revision, oldest: self.compacted });
        }
        let mut past = BTreeMap::new();
        for batch in self.history.iter().rev().take_while(|batch| batch.revision > revision) {
            for event in batch.events.iter().rev() {
                past.insert(event.key.clone(), event.before.clone());
            }
        }
        Ok(past)
    }

    fn apply(&mut self, change: &Change, now: Timestamp) {
        match change {
            Change::Put(value) => {
                self.revision = self.revision.max(value.mod_revision);
                let old = self.keys.insert(value.key.clone(), value.clone());
                self.move_lease(&value.key, old.and_then(|old| old.lease), value.lease);
            }
            Change::Delete(key) => {
                let old = self.keys.remove(key);
                self.move_lease(key, old.and_then(|old| old.lease), None);
            }
            Change::Grant(lease, ttl) => {
                self.next_lease = self.next_lease.max(lease.0 + 1);
                self.leases.insert(*lease, Lease { ttl: *ttl, expires: now + *ttl, keys: HashSet::new() });
            }
            Change::Revoke(lease) => {
                self.leases.remove(lease);
            }
        }
    }

    fn move_lease(&mut self, key: &Arc<str>, old: Option<LeaseId>, new: Option<LeaseId>) {
        if old == new {
            return;
        }
        if let Some(lease) = old.and_then(|lease| self.leases.get_mut(&lease)) {
            lease.keys.remove(key);
        }
        if let Some(lease) = new.and_then(|lease| self.leases.get_mut(&lease)) {
            lease.keys.insert(key.clone());
        }
    }

    fn publish(&mut self, batch: WatchBatch) {
        self.revision = self.revision.max(batch.revision);
        self.watchers.retain(|watcher| watcher.deliver(&batch));
        self.history.push_back(Arc::new(batch));
        while self.history.len() > HISTORY {
            if let Some(oldest) = self.history.pop_front() {
                self.compacted = self.compacted.max(oldest.revision);
            }
        }
    }
}

/// Keys of a range in order, `overlay` over `keys`.
fn merged(
    keys: &BTreeMap<Arc<str>, Arc<KeyValue>>,
    overlay: &BTreeMap<Arc<str>, Option<Arc<KeyValue>>>,
    request: &RangeRequest,
) -> (Vec<Arc<KeyValue>>, bool) {
    let start = match &request.after {
        Some(after) if **after >= *request.range.start() => Bound::Excluded(&**after),
        _ => Bound::Included(request.range.start()),
    };
    let inside = |key: &str| request.range.contains(key);
    let bounds = (start, Bound::Unbounded);
    let mut base = keys.range::<str, _>(bounds).take_while(|(key, _)| inside(key)).peekable();
    let mut over = overlay.range::<str, _>(bounds).take_while(|(key, _)| inside(key)).peekable();
    let mut items = Vec::new();
    loop {
        let next = match (base.peek(), over.peek()) {
            (None, None) => return (items, false),
            (Some((key, _)), Some((changed, _))) if key < changed => {
                base.next().map(|(_, value)| value.clone())
            }
            (Some((key, _)), Some((changed, _))) => {
                if key == changed {
                    base.next();
                }
                over.next().and_then(|(_, value)| value.clone())
            }
            (Some(_), None) => base.next().map(|(_, value)| value.clone()),
            (None, Some(_)) => over.next().and_then(|(_, value)| value.clone()),
        };
        if let Some(value) = next {
            if items.len() == request.limit {
                return (items, true);
            }
            items.push(value);
        }
    }
}
