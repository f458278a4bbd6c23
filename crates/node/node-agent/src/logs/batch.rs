//! From records of output to batches of log events, within the bounds of PutLogEvents.

use super::multiline::Multiline;
use crate::engine::{LogPosition, LogRecord};
use environment::Timestamp;
use std::time::Duration;

/// Most events of a batch.
pub(super) const MOST_EVENTS: usize = 10_000;
/// Most bytes of a batch, with [`EVENT_OVERHEAD`] for each event.
const MOST_BATCH_BYTES: usize = 1_048_576;
/// What each event counts beyond its message.
const EVENT_OVERHEAD: usize = 26;
/// Longest message; longer lines go on in the next event.
const MOST_MESSAGE_BYTES: usize = 256 * 1024 - EVENT_OVERHEAD;

/// How long a message of several lines is waited for.
const PENDING_TIME: Duration = Duration::from_secs(5);

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogEvent {
    pub(crate) at: Timestamp,
    pub(crate) message: String,
    /// Of standard error.
    pub(crate) stderr: bool,
}

/// Events that go out together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) events: Vec<LogEvent>,
    bytes: usize,
    /// Position before which every line is in an event of this batch or an earlier one.
    pub(super) next: Option<LogPosition>,
}

/// Joins the pieces of lines and the lines of messages, and fills batches.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Where messages of several lines begin; without it each line is one.
    multiline: Option<Multiline>,
    /// The lines whose ends have not come yet, of standard output and standard error.
    open: [Option<OpenLine>; 2],
    /// The message that may have more lines.
    pending: Option<LogEvent>,
    /// Position after the last record.
    last: Option<LogPosition>,
    batch: Batch,
}

/// A line whose end has not come.
#[derive(Debug)]
struct OpenLine {
    at: Timestamp,
    bytes: Vec<u8>,
    /// Position before its first piece.
    before: Option<LogPosition>,
}

impl Lines {
    pub(super) fn new(multiline: Option<Multiline>) -> Self {
        Self { multiline, ..Self::default() }
    }

    /// Takes a record; answers a batch that is full and must go first.
    pub(super) fn push(&mut self, record: LogRecord) -> Option<Batch> {
        let before = self.last.replace(record.next.clone());
        let stream = usize::from(record.stderr);
        let mut open =
            self.open[stream].take().unwrap_or(OpenLine { at: record.at, bytes: Vec::new(), before });
        open.bytes.extend_from_slice(&record.bytes);
        if record.partial && open.bytes.len() < MOST_MESSAGE_BYTES {
            self.open[stream] = Some(open);
            return None;
        }
        let (full, begins) = self.line(open.at, &open.bytes, record.stderr);
        if self.open.iter().all(Option::is_none) {
            if self.pending.is_none() {
                self.batch.next = Some(record.next);
            } else if begins {
                // What was before it has gone into events.
                self.batch.next = open.before.or(self.batch.next.take());
            }
        }
        full
    }

    /// What has gathered by now. With `all`, also the lines and the message whose ends have not come.
    pub(super) fn take(&mut self, all: bool, now: Timestamp) -> Option<Batch> {
        if all {
            for stream in 0..2 {
                if let Some(open) = self.open[stream].take() {
                    // What does not fit any more is impossible: an open line is shorter than one message.
                    let _ = self.line(open.at, &open.bytes, stream == 1);
                }
            }
        }
        if all || self.due().is_some_and(|due| due <= now) {
            // The batch after a full one has room.
            let _ = self.flush();
            if self.open.iter().all(Option::is_none) && self.last.is_some() {
                self.batch.next.clone_from(&self.last);
            }
        }
        self.has_gathered().then(|| std::mem::take(&mut self.batch))
    }

    /// Whether [`Self::take`] would answer a batch.
    pub(super) fn has_gathered(&self) -> bool {
        !self.batch.events.is_empty() || self.batch.next.is_some()
    }

    /// When a message that may have more lines is given up waiting for.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.pending.as_ref().map(|pending| pending.at + PENDING_TIME)
    }

    /// Takes a whole line: a message, or a part of one. Answers a full batch, and whether the line begins a message that
    /// may go on.
    fn line(&mut self, at: Timestamp, bytes: &[u8], stderr: bool) -> (Option<Batch>, bool) {
        let (mut full, mut begins) = (None, false);
        for message in split(bytes) {
            let Some(multiline) = &self.multiline else {
                full = full.or(self.add(LogEvent { at, message, stderr }));
                continue;
            };
            let has_room =
                self.pending.as_ref().is_some_and(|p| p.message.len() + message.len() < MOST_MESSAGE_BYTES);
            if has_room && !multiline.begins(&message) {
                if let Some(pending) = &mut self.pending {
                    pending.message.push_str(&message);
                    pending.message.push('\n');
                }
                continue;
            }
            full = full.or(self.flush());
            begins = true;
            let mut message = message;
            if message.len() < MOST_MESSAGE_BYTES {
                message.push('\n');
            }
            self.pending = Some(LogEvent { at, message, stderr });
        }
        (full, begins)
    }

    fn flush(&mut self) -> Option<Batch> {
        let pending = self.pending.take()?;
        self.add(pending)
    }

    fn add(&mut self, event: LogEvent) -> Option<Batch> {
        // CloudWatch Logs takes no empty messages.
        if event.message.is_empty() {
            return None;
        }
        let size = event.message.len() + EVENT_OVERHEAD;
        let full = self.batch.events.len() == MOST_EVENTS || self.batch.bytes + size > MOST_BATCH_BYTES;
        let done = full.then(|| std::mem::take(&mut self.batch));
        self.batch.bytes += size;
        self.batch.events.push(event);
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
        .find(|n| {
            let pairs = stored[stored.len() - n..].iter().zip(&events[..*n]);
            // The stream does not tell which of the container's outputs an event came from.
            pairs.into_iter().all(|(a, b)| (a.at, &a.message) == (b.at, &b.message))
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(2);

    fn record(text: &str, partial: bool, next: u64) -> LogRecord {
        let at = Timestamp::from_seconds(1);
        let bytes = text.as_bytes().to_vec();
        LogRecord { at, bytes, partial, stderr: false, next: LogPosition(next.into()) }
    }

    #[test]
    fn lines_are_joined_and_positions_follow_whole_lines() {
        let mut lines = Lines::default();
        assert!(lines.push(record("one\r", false, 1)).is_none());
        assert!(lines.push(record("tw", true, 2)).is_none());
        let batch = lines.take(false, NOW).expect("has one");
        assert_eq!(batch.events[0].message, "one");
        assert_eq!(batch.next, Some(LogPosition(1.into())));
        assert!(lines.take(false, NOW).is_none());
        assert!(lines.push(record("o", false, 3)).is_none());
        assert_eq!(lines.take(false, NOW).expect("has one").events[0].message, "two");
        lines.push(record("end", true, 4));
        assert_eq!(lines.take(true, NOW).expect("has one").events[0].message, "end");
        lines.push(record("", false, 5));
        let empty = lines.take(false, NOW).expect("moves the position");
        assert!(empty.events.is_empty() && empty.next == Some(LogPosition(5.into())));
    }

    #[test]
    fn bounds_hold() {
        let mut lines = Lines::default();
        let long = "é".repeat(200 * 1024);
        lines.push(record(&long, false, 1));
        let batch = lines.take(true, NOW).expect("has one");
        assert!(batch.events.len() > 1 && batch.events.iter().all(|e| e.message.len() <= MOST_MESSAGE_BYTES));
        assert_eq!(batch.events.iter().map(|e| e.message.as_str()).collect::<String>(), long);
        let full = (0..=MOST_EVENTS).find_map(|n| lines.push(record("x", false, n as u64))).expect("is full");
        assert_eq!(full.events.len(), MOST_EVENTS);
        assert_eq!(full.next, Some(LogPosition((MOST_EVENTS as u64 - 1).into())));
    }

    #[test]
    fn what_was_stored_before_a_crash_is_found() {
        let events: Vec<LogEvent> = ["a", "b", "c"]
            .map(|m| LogEvent { at: Timestamp::from_seconds(1), message: m.to_owned(), stderr: false })
            .to_vec();
        assert_eq!(already_stored(&events[..2], &events), 2);
        assert_eq!(already_stored(&events[1..2], &events), 0);
        assert_eq!(already_stored(&[], &events), 0);
        assert_eq!(already_stored(&events, &events), 3);
    }

    #[test]
    fn pieces_of_the_two_streams_are_not_mixed() {
        let mut lines = Lines::default();
        let error = |text: &str, partial, next| LogRecord { stderr: true, ..record(text, partial, next) };
        lines.push(record("out", true, 1));
        lines.push(error("err", false, 2));
        let batch = lines.take(false, NOW).expect("has one");
        assert_eq!((batch.events[0].message.as_str(), batch.events[0].stderr), ("err", true));
        assert_eq!(batch.next, None, "the open line would be lost");
        lines.push(record("put", false, 3));
        let batch = lines.take(false, NOW).expect("has one");
        assert_eq!((batch.events[0].message.as_str(), batch.next), ("output", Some(LogPosition(3.into()))));
    }

    #[test]
    fn messages_of_several_lines_are_put_together() {
        let pattern = ("awslogs-multiline-pattern".to_owned(), "^BEGIN".to_owned());
        let multiline = Multiline::read(&[pattern].into()).expect("reads");
        let mut lines = Lines::new(multiline);
        for (number, text) in ["BEGIN a", "  b", "  c", "BEGIN d"].into_iter().enumerate() {
            assert!(lines.push(record(text, false, number as u64 + 1)).is_none());
        }
        let batch = lines.take(false, NOW).expect("has one");
        let messages: Vec<_> = batch.events.iter().map(|event| event.message.as_str()).collect();
        assert_eq!(messages, ["BEGIN a\n  b\n  c\n"]);
        assert!(lines.take(false, NOW).is_none(), "the second may go on");
        let due = lines.due().expect("is waited for");
        let batch = lines.take(false, due).expect("has one");
        assert_eq!(batch.events[0].message, "BEGIN d\n");
        assert_eq!(batch.next, Some(LogPosition(4.into())));
    }
}
