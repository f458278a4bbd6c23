//! One message: a header of fixed fields, in network byte order, and a payload.
//!
//! | bytes | field |
//! | --- | --- |
//! | 0..4 | length of the header before the payload's length, 116 |
//! | 4..36 | type, padded with spaces |
//! | 36..40 | schema version, 1 |
//! | 40..48 | milliseconds since the epoch |
//! | 48..56 | sequence number |
//! | 56..64 | flags: 1 begins a stream, 2 ends one |
//! | 64..80 | id, the low half of the UUID before the high half |
//! | 80..112 | SHA-256 of the payload |
//! | 112..116 | type of the payload |
//! | 116..120 | length of the payload |

use bytes::{BufMut, Bytes, BytesMut};
use environment::{Environment, Timestamp};
use sha2::{Digest, Sha256};
use std::fmt;

/// Bytes before the payload.
pub const HEADER_BYTES: usize = 120;
/// What the field of the header's length says: it does not count the payload's length.
const HEADER_LENGTH: u32 = 116;
const TYPE_BYTES: usize = 32;
/// Largest message that is taken; those of sessions are about 1 KiB.
pub const MOST_MESSAGE_BYTES: usize = 256 * 1024;
/// Flags of messages that belong to no stream: their own first and last.
const FLAGS_ALONE: u64 = 3;

/// Why a message cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// It is shorter than its header says, or longer.
    #[error("a message of {0} bytes is cut off or too long")]
    Length(usize),
    /// A field of the header makes no sense.
    #[error("the {0} of a message cannot be read")]
    Field(&'static str),
    /// The payload is not the one that was sent.
    #[error("the payload of a message does not have its digest")]
    Digest,
}

/// The type of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From the client to the agent, in a stream.
    Input,
    /// From the agent to the client, in a stream.
    Output,
    /// A message of a stream has arrived.
    Acknowledge,
    /// The session is over.
    ChannelClosed,
    /// The client is there: send.
    StartPublication,
    /// The client is not there: keep what there is to send.
    PausePublication,
    /// The agent tells where the session stands.
    SessionState,
    /// On the control channel: begin a session.
    InteractiveShell,
    /// On the control channel: the agent has a session no more.
    TaskComplete,
    /// On the control channel: the answer to [`Kind::TaskComplete`].
    TaskAcknowledge,
    /// A type that is not known here.
    Other(String),
}

impl Kind {
    /// As messages have it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Input => "input_stream_data",
            Self::Output => "output_stream_data",
            Self::Acknowledge => "acknowledge",
            Self::ChannelClosed => "channel_closed",
            Self::StartPublication => "start_publication",
            Self::PausePublication => "pause_publication",
            Self::SessionState => "agent_session_state",
            Self::InteractiveShell => "interactive_shell",
            Self::TaskComplete => "agent_task_complete",
            Self::TaskAcknowledge => "agent_task_acknowledge",
            Self::Other(name) => name,
        }
    }

    fn parse(name: &str) -> Self {
        let known = [
            Self::Input,
            Self::Output,
            Self::Acknowledge,
            Self::ChannelClosed,
            Self::StartPublication,
            Self::PausePublication,
            Self::SessionState,
            Self::InteractiveShell,
            Self::TaskComplete,
            Self::TaskAcknowledge,
        ];
        known.into_iter().find(|kind| kind.as_str() == name).unwrap_or_else(|| Self::Other(name.to_owned()))
    }
}

/// What the payload of a stream's message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadType {
    /// Not of a stream.
    None,
    /// Bytes of the terminal, either way.
    Output,
    /// An error text.
    Error,
    /// The size of the client's terminal.
    Size,
    /// Parameters of a session.
    Parameter,
    /// The agent's questions before a session.
    HandshakeRequest,
    /// The client's answers to them.
    HandshakeResponse,
    /// The session begins.
    HandshakeComplete,
    /// A flag: a number.
    Flag,
    /// Bytes of the error output, where it is apart.
    StdErr,
    /// The exit code, as text.
    ExitCode,
    /// Another.
    Other(u32),
}

impl PayloadType {
    const NUMBERED: [(Self, u32); 11] = [
        (Self::None, 0),
        (Self::Output, 1),
        (Self::Error, 2),
        (Self::Size, 3),
        (Self::Parameter, 4),
        (Self::HandshakeRequest, 5),
        (Self::HandshakeResponse, 6),
        (Self::HandshakeComplete, 7),
        (Self::Flag, 10),
        (Self::StdErr, 11),
        (Self::ExitCode, 12),
    ];

    /// As messages have it.
    pub fn number(self) -> u32 {
        let found = Self::NUMBERED.iter().find(|(kind, _)| *kind == self).map(|(_, number)| *number);
        match self {
            Self::Other(number) => number,
            // Every other variant is in the list.
            _ => found.unwrap_or_default(),
        }
    }

    fn of(number: u32) -> Self {
        let found = Self::NUMBERED.iter().find(|(_, known)| *known == number);
        found.map_or(Self::Other(number), |(kind, _)| *kind)
    }
}

/// The UUID of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MessageId([u8; 16]);

impl MessageId {
    /// A new one.
    pub fn random(environment: &Environment) -> Self {
        let mut bytes = [0; 16];
        environment.fill_random(&mut bytes);
        // Version 4, variant 1.
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }

    /// Of the bytes of a UUID, in the order in which it is written.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its type.
    pub kind: Kind,
    /// When it was made.
    pub created_at: Timestamp,
    /// Place in its stream.
    pub sequence: i64,
    /// 1 begins a stream, 2 ends one.
    pub flags: u64,
    /// Its id.
    pub id: MessageId,
    /// What the payload is.
    pub payload_type: PayloadType,
    /// The payload.
    pub payload: Bytes,
}

impl Message {
    /// A message that belongs to no stream.
    pub fn alone(kind: Kind, payload: impl Into<Bytes>, environment: &Environment) -> Self {
        Self {
            kind,
            created_at: environment.now(),
            sequence: 0,
            flags: FLAGS_ALONE,
            id: MessageId::random(environment),
            payload_type: PayloadType::None,
            payload: payload.into(),
        }
    }

    /// As it goes over the websocket. A type longer than its field is cut off.
    pub fn encode(&self) -> Bytes {
        let mut frame = BytesMut::with_capacity(HEADER_BYTES + self.payload.len());
        frame.put_u32(HEADER_LENGTH);
        let name = self.kind.as_str().as_bytes();
        let name = &name[..name.len().min(TYPE_BYTES)];
        frame.put_slice(name);
        frame.put_bytes(b' ', TYPE_BYTES - name.len());
        frame.put_u32(1);
        frame.put_i64(self.created_at.as_millis());
        frame.put_i64(self.sequence);
        frame.put_u64(self.flags);
        frame.put_slice(&self.id.0[8..]);
        frame.put_slice(&self.id.0[..8]);
        frame.put_slice(&Sha256::digest(&self.payload));
        frame.put_u32(self.payload_type.number());
        // Bounded far below by whoever sends.
        frame.put_u32(u32::try_from(self.payload.len()).unwrap_or(u32::MAX));
        frame.put_slice(&self.payload);
        frame.freeze()
    }

    /// Reads a message and checks its digest.
    pub fn decode(frame: &Bytes) -> Result<Self, MessageError> {
        if frame.len() < HEADER_BYTES || frame.len() > MOST_MESSAGE_BYTES {
            return Err(MessageError::Length(frame.len()));
        }
        let number = |at: usize| u32::from_be_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]]);
        let long = |at: usize| (u64::from(number(at)) << 32) | u64::from(number(at + 4));
        // A longer header is one of a later version; what is known of it is in front.
        let header = usize::try_from(number(0)).unwrap_or(usize::MAX);
        if header < HEADER_LENGTH as usize || header > frame.len() - 4 {
            return Err(MessageError::Field("header length"));
        }
        let name = std::str::from_utf8(&frame[4..4 + TYPE_BYTES]).map_err(|_| MessageError::Field("type"))?;
        let name = name.trim_matches(['\0', ' ']);
        if name.is_empty() {
            return Err(MessageError::Field("type"));
        }
        let kind = Kind::parse(name);
        let payload = frame.slice(header + 4..);
        let publication = matches!(kind, Kind::StartPublication | Kind::PausePublication);
        if !publication && number(116) as usize != payload.len() {
            return Err(MessageError::Length(frame.len()));
        }
        let digest: [u8; 32] = Sha256::digest(&payload).into();
        // The published ends check no digest where there is no payload, and of these two types none at all.
        if !publication && !payload.is_empty() && frame[80..112] != digest {
            return Err(MessageError::Digest);
        }
        let mut id = [0; 16];
        id[..8].copy_from_slice(&frame[72..80]);
        id[8..].copy_from_slice(&frame[64..72]);
        Ok(Self {
            kind,
            created_at: Timestamp::from_millis(long(40).cast_signed()),
            sequence: long(48).cast_signed(),
            flags: long(56),
            id: MessageId(id),
            payload_type: PayloadType::of(number(112)),
            payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message {
            kind: Kind::Output,
            created_at: Timestamp::from_millis(1_700_000_000_123),
            sequence: 7,
            flags: 1,
            id: MessageId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
            payload_type: PayloadType::Output,
            payload: Bytes::from_static(b"payload"),
        }
    }

    #[test]
    fn the_layout_is_the_published_one() {
        let frame = message().encode();
        assert_eq!(frame.len(), 120 + 7);
        assert_eq!(&frame[..4], &[0, 0, 0, 116]);
        assert_eq!(&frame[4..36], b"output_stream_data              ");
        assert_eq!(&frame[36..40], &[0, 0, 0, 1]);
        assert_eq!(&frame[40..48], &1_700_000_000_123_u64.to_be_bytes());
        assert_eq!(&frame[48..56], &7_u64.to_be_bytes());
        assert_eq!(&frame[56..64], &1_u64.to_be_bytes());
        assert_eq!(&frame[64..80], &[8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(&frame[80..84], &[0x23, 0x9f, 0x59, 0xed]);
        assert_eq!(&frame[112..120], &[0, 0, 0, 1, 0, 0, 0, 7]);
        assert_eq!(&frame[120..], b"payload");
        assert_eq!(message().id.to_string(), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Message::decode(&message().encode()), Ok(message()));
        for number in 0..20 {
            assert_eq!(PayloadType::of(number).number(), number);
        }
        let odd = Message { kind: Kind::Other("agent_job".to_owned()), payload: Bytes::new(), ..message() };
        assert_eq!(Message::decode(&odd.encode()), Ok(odd));
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let good = message().encode();
        for length in 0..good.len() {
            assert!(Message::decode(&good.slice(..length)).is_err(), "{length}");
        }
        for at in 80..good.len() {
            let mut bad = good.to_vec();
            bad[at] ^= 1;
            // The type of the payload is not under the digest.
            assert_eq!(Message::decode(&bad.into()).is_err(), !(112..116).contains(&at), "{at}");
        }
        let mut long = good.to_vec();
        long[..4].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(Message::decode(&long.into()), Err(MessageError::Field("header length")));
    }

    #[test]
    fn names_padded_with_zeros_are_read() {
        let mut frame = message().encode().to_vec();
        frame[4..36].iter_mut().filter(|byte| **byte == b' ').for_each(|byte| *byte = 0);
        assert_eq!(Message::decode(&frame.into()), Ok(message()));
    }
}
