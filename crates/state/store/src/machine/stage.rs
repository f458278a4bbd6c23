//! Transactions evaluated one after the other on top of the machine, seen by nobody until they are applied.

use super::{Change, Machine, State, merged};
use crate::{
    Event, KeyRange, KeyValue, LeaseId, Op, OpResult, RangeRequest, Revision, StoreError, Test, Transaction,
    TransactionResponse, WatchBatch,
};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// Largest key in bytes.
const MOST_KEY_BYTES: usize = 4096;
/// Largest value in bytes; a task definition has at most 64 KiB, a manifest 4 MiB.
const MOST_VALUE_BYTES: usize = 8 * 1024 * 1024;
/// Most steps in one transaction.
const MOST_OPS: usize = 1024;

/// A staged transaction: its answer, and what must be durable before it is given.
#[derive(Debug)]
pub struct Outcome {
    /// The answer.
    pub response: TransactionResponse,
    /// The changes, empty when nothing was written.
    pub changes: Vec<Change>,
    /// What watchers are told.
    pub(super) batch: Option<WatchBatch>,
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

impl<'a> Stage<'a> {
    pub(super) fn new(machine: &'a Machine) -> Self {
        let revision = machine.state.read().revision;
        Self { machine, revision, overlay: BTreeMap::new(), revoked: HashSet::new() }
    }

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
