//! The place of an event among all others, and the texts that carry it.

/// Where an event stands: by time first, then by arrival. Stays the same for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Time of the event in milliseconds, never negative.
    pub time: i64,
    /// Number of the journal segment that took it.
    pub segment: u64,
    /// Order of arrival inside that segment.
    pub arrival: u64,
}

/// Digits of a position, which are those of an event id: 14 for the time, 14 for the segment, 16 for the arrival and
/// 12 for the stream.
const DIGITS: usize = 56;
const STREAM_MODULUS: u64 = 1_000_000_000_000;

impl Position {
    /// The id of the event at this position of the stream with the number `stream`.
    pub fn event_id(self, stream: u64) -> String {
        format!("{:014}{:014}{:016}{:012}", self.time, self.segment, self.arrival, stream % STREAM_MODULUS)
    }

    /// Reads the position in an event id.
    pub fn from_event_id(text: &str) -> Option<Self> {
        if text.len() != DIGITS || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(Self {
            time: text[..14].parse().ok()?,
            segment: text[14..28].parse().ok()?,
            arrival: text[28..44].parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_the_position_and_its_order() {
        let early = Position { time: 1_700_000_000_000, segment: 9, arrival: 1 << 40 };
        let late = Position { segment: 10, arrival: 0, ..early };
        assert_eq!(early.event_id(u64::MAX).len(), DIGITS);
        assert_eq!(Position::from_event_id(&early.event_id(7)), Some(early));
        assert!(early.event_id(7) < late.event_id(7));
        for bad in ["", "12", &"x".repeat(DIGITS)] {
            assert_eq!(Position::from_event_id(bad), None);
        }
    }
}
