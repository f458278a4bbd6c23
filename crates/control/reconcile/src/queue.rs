//! Which keys are to be reconciled, and when.

use environment::Timestamp;
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// What a reconciler wants next for its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing until the next nudge or resync.
    Settled,
    /// Another run after this time at the latest.
    After(Duration),
}

/// The keys that wait for a run. Cheap to clone; every clone may nudge. Its size is bounded by the number of keys.
pub struct Queue<K>(Arc<Inner<K>>);

struct Inner<K> {
    state: Mutex<State<K>>,
    changed: Notify,
}

struct State<K> {
    ready: VecDeque<K>,
    keys: HashMap<K, Entry>,
    timers: BTreeSet<(Timestamp, K)>,
    /// What the clock showed when it was last looked at.
    seen: Timestamp,
}

#[derive(Default)]
struct Entry {
    queued: bool,
    running: bool,
    /// Nudged while running: what the run saw may be old.
    again: bool,
    failures: u32,
    timer: Option<Timestamp>,
}

impl<K> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Clone + Eq + Hash + Ord> Default for Queue<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Clone + Eq + Hash + Ord> Queue<K> {
    /// An empty queue.
    pub fn new() -> Self {
        let state = State {
            ready: VecDeque::new(),
            keys: HashMap::new(),
            timers: BTreeSet::new(),
            seen: Timestamp::default(),
        };
        Self(Arc::new(Inner { state: Mutex::new(state), changed: Notify::new() }))
    }

    /// Asks for a run of `key` as soon as possible, also when it backs off at the moment.
    pub fn nudge(&self, key: K) {
        self.0.state.lock().nudge(key);
        self.0.changed.notify_one();
    }

    /// Waits until something may have become ready.
    pub(crate) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// The next key to run, which is then running until [`Queue::finish`] or [`Queue::fail`].
    ///
    /// When the clock was put back, nobody knows how much of a wait is left, and every key that waits is due: to run
    /// too early does no harm, to wait until the clock is again where it was does.
    pub fn take(&self, now: Timestamp) -> Option<K> {
        let mut state = self.0.state.lock();
        let is_put_back = now < state.seen;
        state.seen = now;
        while let Some((due, key)) = state.timers.first().cloned() {
            if due > now && !is_put_back {
                break;
            }
            state.nudge(key);
        }
        let key = state.ready.pop_front()?;
        let entry = state.keys.entry(key.clone()).or_default();
        entry.queued = false;
        entry.running = true;
        Some(key)
    }

    /// When the next timer fires.
    pub fn next_timer(&self) -> Option<Timestamp> {
        self.0.state.lock().timers.first().map(|(due, _)| *due)
    }

    /// Ends a run of `key` that went well.
    pub fn finish(&self, key: &K, next: Next, now: Timestamp) {
        let after = match next {
            Next::Settled => None,
            Next::After(after) => Some(after),
        };
        self.0.state.lock().end(key, now, |entry| {
            entry.failures = 0;
            after
        });
    }

    /// Ends a run of `key` that failed; it runs again after `backoff` of the number of failures in a row.
    pub fn fail(&self, key: &K, now: Timestamp, backoff: impl Fn(u32) -> Duration) {
        self.0.state.lock().end(key, now, |entry| {
            entry.failures = entry.failures.saturating_add(1);
            Some(backoff(entry.failures))
        });
    }
}

impl<K: Clone + Eq + Hash + Ord> State<K> {
    fn nudge(&mut self, key: K) {
        let entry = self.keys.entry(key.clone()).or_default();
        if let Some(due) = entry.timer.take() {
            self.timers.remove(&(due, key.clone()));
        }
        if entry.running {
            entry.again = true;
        } else if !entry.queued {
            entry.queued = true;
            self.ready.push_back(key);
        }
    }

    fn end(&mut self, key: &K, now: Timestamp, after: impl FnOnce(&mut Entry) -> Option<Duration>) {
        let Some(entry) = self.keys.get_mut(key) else { return };
        entry.running = false;
        let after = after(entry);
        if std::mem::take(&mut entry.again) {
            entry.queued = true;
            self.ready.push_back(key.clone());
        } else if let Some(after) = after {
            let due = now + after;
            entry.timer = Some(due);
            self.timers.insert((due, key.clone()));
        } else {
            self.keys.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn a_waiting_key_is_queued_once() {
        let queue = Queue::new();
        for _ in 0..3 {
            queue.nudge("a");
        }
        assert_eq!(queue.take(at(0)), Some("a"));
        assert_eq!(queue.take(at(0)), None);
    }

    #[test]
    fn a_nudge_during_a_run_causes_one_further_run() {
        let queue = Queue::new();
        queue.nudge("a");
        assert_eq!(queue.take(at(0)), Some("a"));
        queue.nudge("a");
        queue.nudge("a");
        assert_eq!(queue.take(at(0)), None, "never twice at the same time");
        queue.finish(&"a", Next::Settled, at(0));
        assert_eq!(queue.take(at(0)), Some("a"));
        queue.finish(&"a", Next::Settled, at(0));
        assert_eq!(queue.take(at(0)), None);
        assert!(queue.0.state.lock().keys.is_empty(), "settled keys cost nothing");
    }

    #[test]
    fn a_nudge_replaces_a_timer() {
        let queue = Queue::new();
        queue.nudge("a");
        queue.take(at(0));
        queue.finish(&"a", Next::After(Duration::from_secs(10)), at(0));
        assert_eq!(queue.next_timer(), Some(at(10)));
        assert_eq!(queue.take(at(9)), None);
        queue.nudge("a");
        assert_eq!(queue.next_timer(), None);
        assert_eq!(queue.take(at(9)), Some("a"));
    }

    #[test]
    fn a_clock_that_is_put_back_delays_nothing() {
        let queue = Queue::new();
        for key in ["a", "b"] {
            queue.nudge(key);
            queue.take(at(1_000));
            queue.finish(&key, Next::After(Duration::from_secs(10)), at(1_000));
        }
        assert_eq!(queue.take(at(1_001)), None);
        assert_eq!((queue.take(at(500)), queue.take(at(500))), (Some("a"), Some("b")));
        assert_eq!(queue.take(at(500)), None, "once");
    }

    #[test]
    fn failures_in_a_row_are_counted_per_key() {
        let queue = Queue::new();
        let backoff = |failures| Duration::from_secs(u64::from(failures) * 10);
        for (now, due) in [(0, 10), (10, 30), (30, 60)] {
            queue.nudge("a");
            queue.take(at(now));
            queue.fail(&"a", at(now), backoff);
            assert_eq!(queue.next_timer(), Some(at(due)));
        }
        queue.nudge("b");
        assert_eq!(queue.take(at(30)), Some("b"), "another key is not delayed");
    }
}
