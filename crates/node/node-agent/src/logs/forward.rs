//! The forward protocol of fluentd: records of output to a router, over its socket.
//!
//! Each message carries a tag and records with their times. The router acknowledges nothing, as with the published
//! agent: what it has taken is its own.

use super::batch::LogEvent;
use crate::engine::{Engine, EngineError};
use rmp::encode;
use std::io;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

/// What every record of a container tells.
pub(crate) struct Origin {
    pub(crate) tag: String,
    pub(crate) container_id: String,
    pub(crate) container_name: String,
}

/// A connection to a router, made when it is first needed and again when it breaks.
pub(crate) struct Connection {
    /// The task, and the router in it.
    pub(crate) sandbox: String,
    pub(crate) router: String,
    pub(crate) stream: Option<UnixStream>,
}

/// Why records did not get to the router.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ForwardError {
    #[error("connect to the log router: {0}")]
    Connect(#[from] EngineError),
    #[error("send to the log router: {0}")]
    Send(#[from] io::Error),
}

impl Connection {
    /// Hands records over. After an error all of them are to be sent again.
    pub(crate) async fn send(
        &mut self,
        engine: &dyn Engine,
        origin: &Origin,
        events: &[LogEvent],
    ) -> Result<(), ForwardError> {
        let message = message(origin, events)?;
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => engine.connect(&self.sandbox, &self.router, super::firelens::SOCKET).await?,
        };
        stream.write_all(&message).await?;
        self.stream = Some(stream);
        Ok(())
    }
}

/// `[tag, [[time, record], ...]]`.
fn message(origin: &Origin, events: &[LogEvent]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let count = u32::try_from(events.len()).map_err(io::Error::other)?;
    encode::write_array_len(&mut out, 2).map_err(io::Error::from)?;
    encode::write_str(&mut out, &origin.tag).map_err(io::Error::from)?;
    encode::write_array_len(&mut out, count).map_err(io::Error::from)?;
    for event in events {
        encode::write_array_len(&mut out, 2).map_err(io::Error::from)?;
        time(&mut out, event.at.as_millis()).map_err(io::Error::from)?;
        let fields = [
            ("container_id", origin.container_id.as_str()),
            ("container_name", origin.container_name.as_str()),
            ("source", if event.stderr { "stderr" } else { "stdout" }),
            ("log", event.message.as_str()),
        ];
        encode::write_map_len(&mut out, fields.len() as u32).map_err(io::Error::from)?;
        for (name, value) in fields {
            encode::write_str(&mut out, name).map_err(io::Error::from)?;
            encode::write_str(&mut out, value).map_err(io::Error::from)?;
        }
    }
    Ok(out)
}

/// Fluentd's EventTime: seconds and nanoseconds.
fn time(out: &mut Vec<u8>, millis: i64) -> Result<(), encode::ValueWriteError> {
    let seconds = u32::try_from(millis.div_euclid(1000)).unwrap_or(0);
    let nanos = millis.rem_euclid(1000) as u32 * 1_000_000;
    encode::write_ext_meta(out, 8, 0)?;
    out.extend_from_slice(&seconds.to_be_bytes());
    out.extend_from_slice(&nanos.to_be_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::Timestamp;

    #[test]
    fn a_message_is_what_the_protocol_says() {
        let origin =
            Origin { tag: "t".to_owned(), container_id: "i".to_owned(), container_name: "n".to_owned() };
        let event = LogEvent { at: Timestamp::from_millis(1_001), message: "hi".to_owned(), stderr: true };
        let bytes = message(&origin, &[event]).expect("writes");
        let expected = [
            &[0x92, 0xa1, b't', 0x91, 0x92, 0xd7, 0x00, 0, 0, 0, 1, 0, 0x0f, 0x42, 0x40, 0x84][..],
            b"\xaccontainer_id\xa1i\xaecontainer_name\xa1n\xa6source\xa6stderr\xa3log\xa2hi",
        ]
        .concat();
        assert_eq!(bytes, expected);
    }
}
