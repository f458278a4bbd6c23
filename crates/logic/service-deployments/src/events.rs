//! What a service tells, in the words of AWS.

use crate::Work;
use std::time::Duration;

/// Most tasks that one event names.
const MOST_NAMED: usize = 10;
/// How long a condition that lasts is not told again, as on AWS.
const TOLD_AGAIN: Duration = Duration::from_secs(6 * 3600);
/// Most conditions that are remembered as told.
const MOST_NOTICES: usize = 16;

/// What AWS adds to events about tasks that do not start.
pub(crate) const SEE_GUIDE: &str =
    "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.";

impl Work<'_> {
    /// Tells something that happened.
    pub(crate) fn tell(&mut self, what: &str) {
        let event = format!("(service {}) {what}", self.snapshot.service.name);
        self.plan.events.push(event);
    }

    /// Tells of a condition, unless it has been told of and lasts.
    pub(crate) fn notice(&mut self, what: &str) {
        let now = self.snapshot.now;
        let notices = &mut self.plan.service.notices;
        if let Some(told) = notices.iter_mut().find(|(text, _)| text == what) {
            // A clock that was put back counts as one that has gone on.
            if told.1 <= now && now.since(told.1) < TOLD_AGAIN {
                return;
            }
            told.1 = now;
        } else {
            if notices.len() == MOST_NOTICES {
                notices.remove(0);
            }
            notices.push((what.to_owned(), now));
        }
        self.tell(what);
    }

    /// Tells of tasks, a handful to an event.
    pub(crate) fn tell_tasks(&mut self, verb: &str, kind: &str, tasks: &[String]) {
        for some in tasks.chunks(MOST_NAMED) {
            let named: Vec<String> = some.iter().map(|task| format!("(task {task})")).collect();
            self.tell(&format!("has {verb} {} {kind}: {}.", some.len(), named.join(" ")));
        }
    }
}
