//! The two ends of a stream of messages.
//!
//! A sender numbers its messages from 0 and keeps each until it is acknowledged. When the oldest is not acknowledged
//! within the time that round trips take, it is sent again. A receiver acknowledges what it takes, keeps what comes
//! early, and drops what it has had; it acknowledges that, too, for the first acknowledgement may have been lost.
//!
//! The figures are the published agent's, but for the window: it sends without one, into a buffer of 100,000 messages,
//! and loses what does not fit. Here a full window makes the source of the data wait.

use crate::message::{Kind, Message, MessageId, PayloadType};
use bytes::Bytes;
use environment::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Largest payload that is put into one message of a stream.
pub const PAYLOAD_BYTES: usize = 1024;
/// Messages that are sent and not acknowledged.
pub const WINDOW: usize = 256;
/// Messages that are kept because one before them is missing.
const MOST_EARLY: usize = 10_000;
/// Round trip before any was measured, and the wait for an acknowledgement then.
const FIRST_ROUND_TRIP: Duration = Duration::from_millis(100);
const FIRST_WAIT: Duration = Duration::from_millis(200);
const MOST_WAIT: Duration = Duration::from_secs(1);
/// The least that is waited beyond a round trip.
const GRANULARITY: f64 = 0.010;
/// How often a message is sent again; about five minutes.
const MOST_ATTEMPTS: u32 = 3000;

struct Unacknowledged {
    sequence: i64,
    frame: Bytes,
    sent_at: Timestamp,
    attempts: u32,
}

/// The sender's end.
pub struct Outgoing {
    kind: Kind,
    next: i64,
    kept: VecDeque<Unacknowledged>,
    paused: bool,
    round_trip: f64,
    variation: f64,
    wait: Duration,
}

impl Outgoing {
    /// A stream of messages of one type. While it is paused it only keeps what it is given.
    pub fn new(kind: Kind, paused: bool) -> Self {
        Self {
            kind,
            next: 0,
            kept: VecDeque::new(),
            paused,
            round_trip: FIRST_ROUND_TRIP.as_secs_f64(),
            variation: 0.0,
            wait: FIRST_WAIT,
        }
    }

    /// Whether more must wait.
    pub fn is_full(&self) -> bool {
        self.kept.len() >= WINDOW
    }

    /// Whether everything has arrived.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Whether somebody listens.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Puts a payload into the stream; what is answered is to be sent now. A full stream takes it all the same, so
    /// that a handshake or a flag always has room; data asks [`Outgoing::is_full`] before.
    pub fn push(
        &mut self,
        payload_type: PayloadType,
        payload: Bytes,
        id: MessageId,
        now: Timestamp,
    ) -> Option<Bytes> {
        let sequence = self.next;
        self.next += 1;
        let message = Message {
            kind: self.kind.clone(),
            created_at: now,
            sequence,
            flags: u64::from(sequence == 0),
            id,
            payload_type,
            payload,
        };
        let frame = message.encode();
        self.kept.push_back(Unacknowledged { sequence, frame: frame.clone(), sent_at: now, attempts: 0 });
        (!self.paused).then_some(frame)
    }

    /// A message has arrived at the other end.
    pub fn acknowledge(&mut self, sequence: i64, now: Timestamp) {
        let Some(at) = self.kept.iter().position(|kept| kept.sequence == sequence) else { return };
        let Some(kept) = self.kept.remove(at) else { return };
        // What was sent more than once does not tell how long one trip takes.
        if kept.attempts == 0 {
            self.measure(now.since(kept.sent_at).as_secs_f64());
        }
    }

    /// RFC 6298 with the agent's constants.
    fn measure(&mut self, trip: f64) {
        self.variation = 0.75 * self.variation + 0.25 * (self.round_trip - trip).abs();
        self.round_trip = 0.875 * self.round_trip + 0.125 * trip;
        let wait = self.round_trip + (4.0 * self.variation).max(GRANULARITY);
        self.wait = Duration::try_from_secs_f64(wait).unwrap_or(MOST_WAIT).min(MOST_WAIT);
    }

    /// When the oldest message is to be sent again, if nothing is heard.
    pub fn due_at(&self) -> Option<Timestamp> {
        let oldest = self.kept.front().filter(|_| !self.paused)?;
        Some(oldest.sent_at + self.wait)
    }

    /// The oldest message, if it is to be sent again now.
    pub fn resend(&mut self, now: Timestamp) -> Option<Bytes> {
        let due = self.due_at().is_some_and(|due| due <= now);
        let oldest = self.kept.front_mut().filter(|_| due)?;
        oldest.sent_at = now;
        oldest.attempts += 1;
        // Later ones wait longer, so that a peer that is merely slow is not flooded.
        self.wait = (self.wait * 2).min(MOST_WAIT);
        Some(oldest.frame.clone())
    }

    /// Nobody acknowledges any more.
    pub fn gave_up(&self) -> bool {
        self.kept.front().is_some_and(|oldest| oldest.attempts > MOST_ATTEMPTS)
    }

    /// Nobody listens for now.
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// Somebody listens, perhaps anew: everything that was not acknowledged is to be sent.
    pub fn start(&mut self, now: Timestamp) -> Vec<Bytes> {
        self.paused = false;
        self.wait = FIRST_WAIT;
        let sent = self.kept.iter_mut().map(|kept| {
            kept.sent_at = now;
            // Its first trip is not known any more.
            kept.attempts += 1;
            kept.frame.clone()
        });
        sent.collect()
    }
}

/// What becomes of a message that arrived.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// It is to be acknowledged.
    pub acknowledge: bool,
    /// What is next in the stream, in order.
    pub ready: Vec<Message>,
}

/// The receiver's end.
#[derive(Default)]
pub struct Incoming {
    expected: i64,
    early: BTreeMap<i64, Message>,
}

impl Incoming {
    /// Takes a message.
    pub fn take(&mut self, message: Message) -> Taken {
        let sequence = message.sequence;
        if sequence < self.expected {
            return Taken { acknowledge: true, ready: vec![] };
        }
        if sequence > self.expected {
            // The far future is none of an honest sender.
            let near = sequence - self.expected <= MOST_EARLY as i64;
            if near {
                self.early.insert(sequence, message);
            }
            return Taken { acknowledge: near, ready: vec![] };
        }
        let mut ready = vec![message];
        self.expected += 1;
        while let Some(next) = self.early.remove(&self.expected) {
            ready.push(next);
            self.expected += 1;
        }
        Taken { acknowledge: true, ready }
    }
}

#[cfg(test)]
mod tests;
