//! From records of output to batches of log events, within the bounds of PutLogEvents.

use crate::engine::{LogPosition, LogRecord};
use environment::Timestamp;

/// Most events of a batch.
pub(super) const MOST_EVENTS: usize = 10_000;
/// Most bytes of a batch, with [`EVENT_OVERHEAD`] for each event.
const MOST_BATCH_BYTES: usize = 1_048_576;
/// What each event counts beyond its message.
const EVENT_OVERHEAD: usize = 26;
/// Longest message; longer lines go on in the next event.
const MOST_MESSAGE_BYTES: usize = 256 * 1024 - EVENT_OVERHEAD;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogEvent {
    pub(super) at: Timestamp,
    pub(super) message: String,
}

/// Events that go out together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) events: Vec<LogEvent>,
    bytes: usize,
    /// Position after the last whole event.
    pub(super) next: Option<LogPosition>,
}

/// Joins the pieces of lines and fills batches.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The line whose end has not come yet.
    open: Option<(Timestamp, Vec<u8>)>,
    batch: Batch,
}

impl Lines {
    /// Takes a record; answers a batch that is full and must go first.
    pub(super) fn push(&mut self, record: LogRecord) -> Option<Batch> {
        let (at, mut bytes) = self.open.take().unwrap_or((record.at, Vec::new()));
        bytes.extend_from_slice(&record.bytes);
        if record.partial && bytes.len() < MOST_MESSAGE_BYTES {
            self.open = Some((at, bytes));
            return None;
        }
        let mut full = None;
        for message in split(&bytes) {
            full = full.or(self.add(at, message));
        }
        self.batch.next = Some(record.next);
        full
    }

    /// What has gathered; the line that is still open stays unless `all`.
    pub(super) fn take(&mut self, all: bool) -> Option<Batch> {
        if all && let Some((at, bytes)) = self.open.take() {
            for message in split(&bytes) {
                // What does not fit any more is impossible: an open line is shorter than one message.
                let _ = self.add(at, message);
            }
        }
        self.has_gathered().then(|| std::mem::take(&mut self.batch))
    }

    /// Whether [`Self::take`] would answer a batch.
    pub(super) fn has_gathered(&self) -> bool {
        !self.batch.events.is_empty() || self.batch.next.is_some()
    }

    fn add(&mut self, at: Timestamp, message: String) -> Option<Batch> {
        // CloudWatch Logs takes no empty messages.
        if message.is_empty() {
            return None;
        }
        let size = message.len() + EVENT_OVERHEAD;
        let full = self.batch.events.len() == MOST_EVENTS || self.batch.bytes + size > MOST_BATCH_BYTES;
        let done = full.then(|| std::mem::take(&mut self.batch));
        self.batch.bytes += size;
        self.batch.events.push(LogEvent { at, message });
        done
    }
}

/// Text in pieces that fit an event; what is not UTF-8 is replaced.
fn split(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut rest = text.trim_end_matches('\r');
    let mut pieces = Vec::new();
    while rest.len() > MOST_MESSAGE_BYTES {
        let end =
            (0..=MOST_MESSAGE_BYTES).rev().find(|end| rest.is_char_boundary(*end)).unwrap_or(rest.len());
        pieces.push(rest[..end].to_owned());
        rest = &rest[end..];
    }
    pieces.push(rest.to_owned());
    pieces
}

/// How many of `events` the stream has at its end already, when it ends with `stored`.
pub(super) fn already_stored(stored: &[LogEvent], events: &[LogEvent]) -> usize {
    (1..=stored.len().min(events.len()))
        .rev()
        .find(|n| stored[stored.len() - n..] == events[..*n])
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str, partial: bool, next: u64) -> LogRecord {
        let at = Timestamp::from_seconds(1);
        LogRecord {
            at,
            bytes: text.as_bytes().to_vec(),
            partial,
            stderr: false,
            next: LogPosition(next.into()),
        }
    }

    #[test]
    fn lines_are_joined_and_positions_follow_whole_lines() {
        let mut lines = Lines::default();
        assert!(lines.push(record("one\r", false, 1)).is_none());
        assert!(lines.push(record("tw", true, 2)).is_none());
        let batch = lines.take(false).expect("has one");
        assert_eq!(batch.events[0].message, "one");
        assert_eq!(batch.next, Some(LogPosition(1.into())));
        assert!(lines.take(false).is_none());
        assert!(lines.push(record("o", false, 3)).is_none());
        assert_eq!(lines.take(false).expect("has one").events[0].message, "two");
        lines.push(record("end", true, 4));
        assert_eq!(lines.take(true).expect("has one").events[0].message, "end");
        lines.push(record("", false, 5));
        let empty = lines.take(false).expect("moves the position");
        assert!(empty.events.is_empty() && empty.next == Some(LogPosition(5.into())));
    }

    #[test]
    fn bounds_hold() {
        let mut lines = Lines::default();
        let long = "é".repeat(200 * 1024);
        lines.push(record(&long, false, 1));
        let batch = lines.take(true).expect("has one");
        assert!(batch.events.len() > 1 && batch.events.iter().all(|e| e.message.len() <= MOST_MESSAGE_BYTES));
        assert_eq!(batch.events.iter().map(|e| e.message.as_str()).collect::<String>(), long);
        let full = (0..=MOST_EVENTS).find_map(|n| lines.push(record("x", false, n as u64))).expect("is full");
        assert_eq!(full.events.len(), MOST_EVENTS);
        assert_eq!(full.next, Some(LogPosition((MOST_EVENTS as u64 - 1).into())));
    }

    #[test]
    fn what_was_stored_before_a_crash_is_found() {
        let events: Vec<LogEvent> = ["a", "b", "c"]
            .map(|m| LogEvent { at: Timestamp::from_seconds(1), message: m.to_owned() })
            .to_vec();
        assert_eq!(already_stored(&events[..2], &events), 2);
        assert_eq!(already_stored(&events[1..2], &events), 0);
        assert_eq!(already_stored(&[], &events), 0);
        assert_eq!(already_stored(&events, &events), 3);
    }
}
