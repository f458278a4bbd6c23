//! How events are written down.
//!
//! A batch is what one PutLogEvents brought: format (1 byte, 1), stream (8 bytes), arrival time (8), number of events
//! (4), then per event its time (8), the length of its message (4) and the message. All numbers are little endian.
//! The journal holds batches; a block is its format and then batches of one stream, each after its place in the
//! journal segment (8) and its length (4).

use super::position::Position;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::ops::Range;

const FORMAT: u8 = 1;
/// Bits of an arrival number that count events inside a batch, which has at most 10,000.
const EVENT_BITS: u32 = 14;
/// What CloudWatch adds to the bytes of each message when it counts.
pub const EVENT_OVERHEAD: usize = 26;

/// An event as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place.
    pub position: Position,
    /// When it arrived, in milliseconds.
    pub ingestion: i64,
    /// Its message.
    pub message: Bytes,
}

impl Event {
    /// The message; it came in as text, and a stored byte that is not is shown as a replacement character.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.message)
    }

    /// Bytes as CloudWatch counts them.
    pub fn size(&self) -> usize {
        self.message.len() + EVENT_OVERHEAD
    }
}

/// A batch in its written form, at its place in a journal segment.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Where it lies in the segment.
    pub offset: u64,
    /// The batch.
    pub bytes: Bytes,
}

/// What is at the front of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Front {
    /// Number of the stream.
    pub stream: u64,
    /// When it arrived.
    pub ingestion: i64,
    count: u32,
}

/// Writes a batch.
pub fn encode<'a>(
    stream: u64,
    ingestion: i64,
    events: impl ExactSizeIterator<Item = (i64, &'a str)> + Clone,
) -> Bytes {
    let size: usize = events.clone().map(|(_, message)| message.len() + 12).sum();
    let mut bytes = BytesMut::with_capacity(size + 21);
    bytes.put_u8(FORMAT);
    bytes.put_u64_le(stream);
    bytes.put_i64_le(ingestion);
    bytes.put_u32_le(events.len() as u32);
    for (time, message) in events {
        bytes.put_i64_le(time);
        bytes.put_u32_le(message.len() as u32);
        bytes.put_slice(message.as_bytes());
    }
    bytes.freeze()
}

/// Reads the front of a batch and leaves its events; `None` when it is no batch.
pub fn front(bytes: &mut Bytes) -> Option<Front> {
    if bytes.len() < 21 || bytes.get_u8() != FORMAT {
        return None;
    }
    Some(Front { stream: bytes.get_u64_le(), ingestion: bytes.get_i64_le(), count: bytes.get_u32_le() })
}

/// Hands the events of a batch to `visit`; ends early where the bytes make no sense.
pub fn events(segment: u64, placed: &Placed, mut visit: impl FnMut(Event)) {
    let mut bytes = placed.bytes.clone();
    let Some(front) = front(&mut bytes) else { return };
    for index in 0..u64::from(front.count) {
        if bytes.remaining() < 12 {
            return;
        }
        let (time, length) = (bytes.get_i64_le(), bytes.get_u32_le() as usize);
        if bytes.remaining() < length {
            return;
        }
        let position = Position { time, segment, arrival: (placed.offset << EVENT_BITS) | index };
        visit(Event { position, ingestion: front.ingestion, message: bytes.split_to(length) });
    }
}

/// Writes a block.
pub fn encode_block(batches: &[Placed]) -> Vec<u8> {
    let size: usize = batches.iter().map(|placed| placed.bytes.len() + 12).sum();
    let mut block = Vec::with_capacity(size + 1);
    block.put_u8(FORMAT);
    for placed in batches {
        block.put_u64_le(placed.offset);
        block.put_u32_le(placed.bytes.len() as u32);
        block.put_slice(&placed.bytes);
    }
    block
}

/// The batches of a block; ends early where the bytes make no sense.
pub fn decode_block(mut block: Bytes) -> Vec<Placed> {
    let mut batches = Vec::new();
    if block.is_empty() || block.get_u8() != FORMAT {
        return batches;
    }
    while block.remaining() >= 12 {
        let (offset, length) = (block.get_u64_le(), block.get_u32_le() as usize);
        if block.remaining() < length {
            break;
        }
        batches.push(Placed { offset, bytes: block.split_to(length) });
    }
    batches
}

/// What the events of a batch span: earliest time, latest time, bytes as CloudWatch counts them.
pub fn span(placed: &Placed) -> Option<(Range<i64>, usize)> {
    let mut span: Option<Range<i64>> = None;
    let mut size = 0;
    events(0, placed, |event| {
        let time = event.position.time;
        size += event.size();
        span = Some(match span.take() {
            Some(span) => span.start.min(time)..span.end.max(time),
            None => time..time,
        });
    });
    span.map(|span| (span, size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn placed(offset: u64, events: &[(i64, &str)]) -> Placed {
        Placed { offset, bytes: encode(42, 5, events.iter().copied()) }
    }

    #[test]
    fn events_come_back_from_batches_and_blocks() {
        let batches = [placed(8, &[(1, "a"), (2, "é")]), placed(90, &[(1, "")])];
        let again = decode_block(encode_block(&batches).into());
        let mut seen = Vec::new();
        for batch in &again {
            events(3, batch, |event| {
                seen.push((event.position.time, event.position.arrival, event.text().into_owned()));
            });
        }
        let expected = [(1, 8 << 14, "a"), (2, (8 << 14) | 1, "é"), (1, 90 << 14, "")];
        assert_eq!(seen, expected.map(|(time, arrival, text)| (time, arrival, text.to_owned())));
        assert_eq!(front(&mut again[0].bytes.clone()), Some(Front { stream: 42, ingestion: 5, count: 2 }));
        assert_eq!(span(&again[0]), Some((1..2, 3 + 2 * EVENT_OVERHEAD)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let bytes = Bytes::from(bytes);
            decode_block(bytes.clone());
            span(&Placed { offset: 0, bytes });
        }
    }
}
