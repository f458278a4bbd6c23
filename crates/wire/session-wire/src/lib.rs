//! The channels of Session Manager, as its published agent and its published client plugin speak them: binary messages
//! over a websocket, JSON documents inside, and a stream that is numbered, acknowledged and sent again.
//!
//! A [`Message`] is one frame. [`Outgoing`] and [`Incoming`] are the two ends of the stream: they keep what is not
//! acknowledged, put what arrives in order, and drop what came before. They do no I/O and read no clock; whoever has
//! the socket asks them what to send and when. Everything they keep is bounded.
//!
//! What is left out: encryption of the stream with a KMS key, and the multiplexing of forwarded ports.

mod documents;
mod message;
mod stream;
mod text;

pub use documents::{
    Acknowledged, Action, ChannelClosed, ControlOpening, DataOpening, EXIT_CODE_ACTION,
    FLAG_DISCONNECT_TO_PORT, FLAG_TERMINATE_SESSION, HandshakeComplete, HandshakeRequest, HandshakeResponse,
    LogTarget, Processed, SESSION_TYPE_ACTION, SESSION_TYPE_INTERACTIVE, SessionOrder, SessionState, Size,
    TERMINATING, TaskComplete, TokenAnswer,
};
pub use message::{HEADER_BYTES, Kind, MOST_MESSAGE_BYTES, Message, MessageError, MessageId, PayloadType};
pub use stream::{Incoming, Outgoing, PAYLOAD_BYTES, Taken, WINDOW};
pub use text::whole_characters;
