//! The store's contract as a state machine in memory: current keys, bounded history, watchers, leases.
//!
//! A backend brings transactions into an order, stages some of them on a [`Stage`] (nobody sees them yet), makes the
//! changes durable, and then applies them. What is not applied is never read and never watched.

use crate::watch::Watcher;
use crate::{
    Event, KeyRange, KeyValue, LeaseId, Op, OpResult, RangeRequest, RangeResponse, Revision, StoreError,
    StoreStatus, Test, Transaction, TransactionResponse, Watch, WatchBatch, WatchRequest,
};
use environment::Timestamp;
use parking_lot::RwLock;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

/// Transactions kept for watches from the past. A watcher further behind lists anew.
const HISTORY: usize = 4096;
/// Largest key in bytes.
const MOST_KEY_BYTES: usize = 4096;
/// Largest value in bytes; a task definition has at most 64 KiB, a manifest 4 MiB.
const MOST_VALUE_BYTES: usize = 8 * 1024 * 1024;
/// Most steps in one transaction.
const MOST_OPS: usize = 1024;

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

/// A staged transaction: its answer, and what must be durable before it is given.
#[derive(Debug)]
pub struct Outcome {
    /// The answer.
    pub response: TransactionResponse,
    /// The changes, empty when nothing was written.
    pub changes: Vec<Change>,
    batch: Option<WatchBatch>,
}

/// Transactions evaluated one after the other, not applied yet.
#[derive(Debug)]
pub struct Stage<'a> {
    machine: &'a Machine,
    revision: Revision,
    /// Keys as the staged transactions leave them.
    overlay: BTreeMap<Arc<str>, Option<Arc<KeyValue>>>,
    /// Leases that staged transactions end.
    revoked: HashSet<LeaseId>,
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
        Stage {
            machine: self,
            revision: self.state.read().revision,
            overlay: BTreeMap::new(),
            revoked: HashSet::new(),
        }
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

impl Stage<'_> {
    /// Evaluates a transaction on top of those staged before. An error stages nothing.
    pub fn transact(&mut self, transaction: &Transaction) -> Result<Outcome, StoreError> {
        check_sizes(transaction)?;
        let machine = self.machine;
        self.evaluate(&machine.state.read(), transaction)
    }

    /// Evaluates the end of a lease: its keys are deleted under one revision, however many they are.
    pub fn revoke(&mut self, lease: LeaseId) -> Result<Outcome, StoreError> {
        let machine = self.machine;
        let state = machine.state.read();
        let found = state.leases.get(&lease).filter(|_| !self.revoked.contains(&lease));
        let found = found.ok_or(StoreError::LeaseNotFound(lease))?;
        // A staged write may have moved a key to or from the lease.
        let mut keys: BTreeSet<Arc<str>> =
            found.keys.iter().filter(|key| !self.overlay.contains_key(*key)).cloned().collect();
        let staged = self.overlay.iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
        keys.extend(staged.filter(|(_, value)| value.lease == Some(lease)).map(|(key, _)| key.clone()));
        let success = keys.into_iter().map(|key| Op::Delete(KeyRange::Key(key))).collect();
        let transaction = Transaction { success, ..Transaction::default() };
        let mut outcome = self.evaluate(&state, &transaction)?;
        outcome.changes.push(Change::Revoke(lease));
        self.revoked.insert(lease);
        Ok(outcome)
    }

    fn evaluate(&mut self, state: &State, transaction: &Transaction) -> Result<Outcome, StoreError> {
        let succeeded = transaction.compares.iter().all(|compare| {
            let found = self.current(state, &compare.key);
            holds(&compare.test, found.as_deref())
        });
        let ops = if succeeded { &transaction.success } else { &transaction.failure };
        for op in ops {
            if let Op::Put { lease: Some(lease), .. } = op
                && (!state.leases.contains_key(lease) || self.revoked.contains(lease))
            {
                return Err(StoreError::LeaseNotFound(*lease));
            }
        }
        let revision = self.revision + 1;
        let mut work = Work { stage: self, state, revision, changes: Vec::new(), events: Vec::new() };
        let results = match ops.iter().map(|op| work.step(op)).collect::<Result<Vec<_>, _>>() {
            Ok(results) => results,
            Err(error) => {
                work.undo();
                return Err(error);
            }
        };
        let (changes, events) = (work.changes, work.events);
        let batch = (!events.is_empty()).then_some(WatchBatch { revision, events });
        if batch.is_some() {
            self.revision = revision;
        }
        let response = TransactionResponse { succeeded, revision: self.revision, results };
        Ok(Outcome { response, changes, batch })
    }

    /// The newest staged revision.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    fn current(&self, state: &State, key: &str) -> Option<Arc<KeyValue>> {
        self.overlay.get(key).map_or_else(|| state.keys.get(key).cloned(), Clone::clone)
    }
}

/// A transaction under evaluation.
struct Work<'a, 'b, 'c> {
    stage: &'a mut Stage<'b>,
    state: &'c State,
    revision: Revision,
    changes: Vec<Change>,
    events: Vec<Event>,
}

impl Work<'_, '_, '_> {
    fn step(&mut self, op: &Op) -> Result<OpResult, StoreError> {
        match op {
            Op::Put { key, value, lease } => {
                let before = self.stage.current(self.state, key);
                let now = Arc::new(KeyValue {
                    key: key.clone(),
                    value: value.clone(),
                    create_revision: before.as_ref().map_or(self.revision, |old| old.create_revision),
                    mod_revision: self.revision,
                    version: before.as_ref().map_or(1, |old| old.version + 1),
                    lease: *lease,
                });
                self.changes.push(Change::Put(now.clone()));
                self.record(key.clone(), Some(now), before);
                Ok(OpResult::Put)
            }
            Op::Delete(range) => {
                let (doomed, _) =
                    merged(&self.state.keys, &self.stage.overlay, &RangeRequest::all(range.clone()));
                for value in &doomed {
                    self.changes.push(Change::Delete(value.key.clone()));
                    self.record(value.key.clone(), None, Some(value.clone()));
                }
                Ok(OpResult::Deleted(doomed.len()))
            }
            Op::Range(request) => Ok(OpResult::Range(self.state.range(request, &self.stage.overlay)?)),
        }
    }

    /// Takes the steps back, so that a transaction that fails halfway stages nothing.
    fn undo(self) {
        for event in self.events.into_iter().rev() {
            self.stage.overlay.insert(event.key, event.before);
        }
    }

    fn record(&mut self, key: Arc<str>, now: Option<Arc<KeyValue>>, before: Option<Arc<KeyValue>>) {
        self.stage.overlay.insert(key.clone(), now.clone());
        self.events.push(Event { key, now, before });
    }
}

fn holds(test: &Test, found: Option<&KeyValue>) -> bool {
    match test {
        Test::ModRevision(revision) => found.map_or(0, |f| f.mod_revision) == *revision,
        Test::CreateRevision(revision) => found.map_or(0, |f| f.create_revision) == *revision,
        Test::Version(version) => found.map_or(0, |f| f.version) == *version,
        Test::Value(value) => found.is_some_and(|f| f.value == *value),
        Test::Exists => found.is_some(),
        Test::Absent => found.is_none(),
    }
}

fn check_sizes(transaction: &Transaction) -> Result<(), StoreError> {
    let within = |what, size, limit| {
        if size > limit { Err(StoreError::TooLarge { what, size, limit }) } else { Ok(()) }
    };
    within("transaction", transaction.success.len().max(transaction.failure.len()), MOST_OPS)?;
    for op in transaction.success.iter().chain(&transaction.failure) {
        if let Op::Put { key, value, .. } = op {
            within("key", key.len(), MOST_KEY_BYTES)?;
            within("value", value.len(), MOST_VALUE_BYTES)?;
        }
    }
    Ok(())
}
