//! Which credentials an agent has, and when it needs the next.

use crate::roles::RoleKind;
use environment::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

/// Time for an acknowledgement.
const ACK_TIME: Duration = Duration::from_secs(10);
/// How often credentials are sent again before they are left until they are due anyway.
const MOST_ATTEMPTS: u32 = 5;
/// Pause before a role that could not be assumed is tried again.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);

/// The credentials of one session, by key of the task and kind of role.
#[derive(Default)]
pub(super) struct Renewals(HashMap<(String, RoleKind), Held>);

struct Held {
    renew_at: Timestamp,
    /// The message that is not acknowledged yet, and when to send another.
    waiting: Option<(String, Timestamp)>,
    attempts: u32,
}

impl Held {
    fn due_at(&self) -> Timestamp {
        self.waiting.as_ref().map_or(self.renew_at, |(_, at)| (*at).min(self.renew_at))
    }
}

impl Renewals {
    /// The agent needs credentials at once.
    pub(super) fn want(&mut self, task: &str, kind: RoleKind, now: Timestamp) {
        self.0.entry((task.to_owned(), kind)).or_insert(Held { renew_at: now, waiting: None, attempts: 0 });
    }

    /// Credentials went out with a payload, which is sent again itself when it is not acknowledged. They are renewed
    /// after half of their life, long before clients look for newer ones.
    pub(super) fn sent_with_payload(
        &mut self,
        task: &str,
        kind: RoleKind,
        expires_at: Timestamp,
        now: Timestamp,
    ) {
        let renew_at = now + expires_at.since(now) / 2;
        self.0.insert((task.to_owned(), kind), Held { renew_at, waiting: None, attempts: 0 });
    }

    /// Credentials went out in a message of their own.
    pub(super) fn sent(
        &mut self,
        task: &str,
        kind: RoleKind,
        message: String,
        expires_at: Timestamp,
        now: Timestamp,
    ) {
        let key = (task.to_owned(), kind);
        // Counted while nothing is acknowledged.
        let attempts =
            self.0.get(&key).filter(|held| held.waiting.is_some()).map_or(0, |held| held.attempts) + 1;
        let waiting = (attempts < MOST_ATTEMPTS).then_some((message, now + ACK_TIME));
        if waiting.is_none() {
            tracing::warn!(task, ?kind, "an agent does not acknowledge credentials");
        }
        self.0.insert(key, Held { renew_at: now + expires_at.since(now) / 2, waiting, attempts });
    }

    /// The role cannot be assumed now; the agent keeps what it has.
    pub(super) fn refused(&mut self, task: &str, kind: RoleKind, now: Timestamp) {
        let held = Held { renew_at: now + REFUSED_PAUSE, waiting: None, attempts: 0 };
        self.0.insert((task.to_owned(), kind), held);
    }

    /// A message has arrived.
    pub(super) fn acknowledged(&mut self, message: &str) {
        for held in self.0.values_mut() {
            if held.waiting.as_ref().is_some_and(|(waiting, _)| waiting == message) {
                (held.waiting, held.attempts) = (None, 0);
            }
        }
    }

    /// The task needs none any more.
    pub(super) fn forget(&mut self, task: &str) {
        for kind in RoleKind::ALL {
            self.0.remove(&(task.to_owned(), kind));
        }
    }

    /// When to look again.
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        self.0.values().map(Held::due_at).min()
    }

    /// What is due, to be sent or forgotten.
    pub(super) fn due(&self, now: Timestamp) -> Vec<(String, RoleKind)> {
        self.0.iter().filter(|(_, held)| held.due_at() <= now).map(|(key, _)| key.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_renewed_after_half_of_their_life_and_sent_until_acknowledged() {
        let at = Timestamp::from_seconds;
        let mut renewals = Renewals::default();
        renewals.want("t", RoleKind::Task, at(0));
        assert_eq!(renewals.due(at(0)), [("t".to_owned(), RoleKind::Task)]);
        renewals.sent("t", RoleKind::Task, "m1".to_owned(), at(1000), at(0));
        assert_eq!(renewals.due_at(), Some(at(10)));
        renewals.sent("t", RoleKind::Task, "m2".to_owned(), at(1010), at(10));
        renewals.acknowledged("m1");
        assert_eq!(renewals.due_at(), Some(at(20)), "an older message does not count");
        renewals.acknowledged("m2");
        assert_eq!(renewals.due_at(), Some(at(510)));

        for attempt in 0..MOST_ATTEMPTS {
            renewals.sent("t", RoleKind::Task, format!("n{attempt}"), at(2000), at(510));
        }
        assert_eq!(renewals.due_at(), Some(at(1255)), "it was tried often enough");
        renewals.refused("t", RoleKind::Task, at(1255));
        assert_eq!(renewals.due_at(), Some(at(1315)));
        renewals.sent_with_payload("t", RoleKind::Execution, at(1500), at(1300));
        renewals.want("t", RoleKind::Execution, at(1300));
        assert_eq!(renewals.due(at(1350)).len(), 1);
        assert_eq!(renewals.due(at(1400)).len(), 2);
        renewals.forget("t");
        assert_eq!(renewals.due_at(), None);
    }
}
