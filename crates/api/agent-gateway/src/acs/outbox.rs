//! What was sent to an agent and not acknowledged yet.

use environment::Timestamp;
use resources::ecs::{DesiredStatus, Task, TaskStatus};
use std::collections::HashMap;
use std::time::Duration;

/// Time for an acknowledgement.
const ACK_TIME: Duration = Duration::from_secs(10);
/// How often a payload is sent. Agents do not acknowledge payloads with a task they cannot read; they report that
/// task stopped instead.
const MOST_ATTEMPTS: u32 = 5;

/// Payloads under way, and what the agent was told of each task in this session.
#[derive(Default)]
pub(super) struct Outbox {
    told: HashMap<String, DesiredStatus>,
    unacknowledged: HashMap<String, Sent>,
}

/// A payload that was sent.
pub(super) struct Sent {
    /// Keys of its tasks.
    pub(super) tasks: Vec<String>,
    /// The how-maniest time.
    pub(super) attempt: u32,
    due_at: Timestamp,
}

impl Outbox {
    /// Whether the agent was not told this of the task yet.
    pub(super) fn is_news(&self, task: &str, desired: DesiredStatus) -> bool {
        self.told.get(task) != Some(&desired)
    }

    /// Nothing has to be told of a task now; one that is over is forgotten.
    pub(super) fn forget(&mut self, id: &str, task: &Task) {
        if task.last_status >= TaskStatus::Deprovisioning {
            self.told.remove(id);
        }
    }

    /// A payload goes out. `tasks` are key, id and what is wanted.
    pub(super) fn sent(
        &mut self,
        message: String,
        tasks: Vec<(String, String, DesiredStatus)>,
        attempt: u32,
        now: Timestamp,
    ) {
        let mut keys = Vec::with_capacity(tasks.len());
        for (key, id, desired) in tasks {
            keys.push(key);
            self.told.insert(id, desired);
        }
        self.unacknowledged.insert(message, Sent { tasks: keys, attempt, due_at: now + ACK_TIME });
    }

    /// A payload has arrived.
    pub(super) fn acknowledged(&mut self, message: &str) {
        self.unacknowledged.remove(message);
    }

    /// When to look for late acknowledgements.
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        self.unacknowledged.values().map(|sent| sent.due_at).min()
    }

    /// Payloads to be sent again.
    pub(super) fn take_late(&mut self, now: Timestamp) -> Vec<Sent> {
        let late = self.unacknowledged.extract_if(|_, sent| sent.due_at <= now);
        let (again, given_up): (Vec<Sent>, Vec<Sent>) =
            late.map(|(_, sent)| sent).partition(|sent| sent.attempt < MOST_ATTEMPTS);
        for sent in given_up {
            tracing::warn!(tasks = ?sent.tasks, "an agent does not acknowledge these tasks");
        }
        again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_payloads_come_again_for_a_while() {
        let at = Timestamp::from_seconds;
        let mut outbox = Outbox::default();
        assert!(outbox.is_news("a", DesiredStatus::Running));
        outbox.sent("m1".into(), vec![("k".into(), "a".into(), DesiredStatus::Running)], 1, at(0));
        assert!(!outbox.is_news("a", DesiredStatus::Running));
        assert!(outbox.is_news("a", DesiredStatus::Stopped));
        assert_eq!(outbox.due_at(), Some(at(10)));
        assert!(outbox.take_late(at(9)).is_empty());
        let late = outbox.take_late(at(10));
        assert_eq!((late.len(), late[0].attempt), (1, 1));
        outbox.sent("m2".into(), vec![], MOST_ATTEMPTS, at(10));
        assert!(outbox.take_late(at(30)).is_empty(), "it was tried often enough");
        outbox.sent("m3".into(), vec![], 1, at(30));
        outbox.acknowledged("m3");
        assert_eq!(outbox.due_at(), None);
    }
}
