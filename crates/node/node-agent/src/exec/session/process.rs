//! The command of a session: what it is told, what it says, how it ends.

use crate::engine::{Attached, AttachedControl};
use bytes::Bytes;
use environment::{Environment, Timestamp};
use session_wire::{PAYLOAD_BYTES, Size, whole_characters};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes that wait for the command to read them; more are not acknowledged.
const MOST_WAITING: usize = 64 * 1024;
/// How long is waited for output after the end of a command: what it left running may hold its terminal open for ever.
const DRAIN: Duration = Duration::from_millis(300);

/// What happened to a command.
pub(super) enum Said {
    Output(Bytes),
    Error(Bytes),
    Nothing,
}

/// One of its outputs.
struct Output {
    stream: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// The beginning of a character whose end is not here yet.
    rest: Vec<u8>,
}

pub(super) struct Process {
    environment: Environment,
    input: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    waiting: VecDeque<Bytes>,
    waiting_bytes: usize,
    /// The input ends when everything that waits is written.
    input_ends: bool,
    output: Output,
    error: Output,
    control: Option<Box<dyn AttachedControl>>,
    terminal: bool,
    ended: bool,
    /// How, if anybody saw it.
    code: Option<i32>,
    drain_until: Option<Timestamp>,
}

impl Process {
    pub(super) fn new(attached: Attached, environment: Environment) -> Self {
        let Attached { input, output, error, control } = attached;
        Self {
            environment,
            terminal: error.is_none(),
            input: Some(input),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            input_ends: false,
            output: Output { stream: Some(output), rest: Vec::new() },
            error: Output { stream: error, rest: Vec::new() },
            control: Some(control),
            ended: false,
            code: None,
            drain_until: None,
        }
    }

    pub(super) fn resize(&self, size: Size) {
        let side = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
        if let Some(control) = self.control.as_ref().filter(|_| self.terminal)
            && let Err(error) = control.resize(side(size.cols), side(size.rows))
        {
            tracing::debug!(%error, "a terminal keeps its size");
        }
    }

    /// Whether more may be written.
    pub(super) fn has_room(&self) -> bool {
        self.waiting_bytes < MOST_WAITING
    }

    pub(super) fn write(&mut self, bytes: Bytes) {
        if self.input.is_some() && !self.input_ends && !bytes.is_empty() {
            self.waiting_bytes += bytes.len();
            self.waiting.push_back(bytes);
        }
    }

    /// The client has no more to say. A terminal has no end of its input: there a character says so.
    pub(super) fn end_input(&mut self) {
        self.input_ends = !self.terminal;
        self.end_input_if_written();
    }

    fn end_input_if_written(&mut self) {
        if self.input_ends && self.waiting.is_empty() {
            self.input = None;
        }
    }

    /// Ends the command.
    pub(super) fn kill(&mut self) {
        // Its shim kills it when nobody holds it any more.
        self.control = None;
        self.ended = true;
        (self.output.stream, self.error.stream, self.input) = (None, None, None);
    }

    /// It has ended and has said everything.
    pub(super) fn is_over(&self) -> bool {
        self.ended && self.output.stream.is_none() && self.error.stream.is_none()
    }

    pub(super) fn code(&self) -> Option<i32> {
        self.code
    }

    /// Waits for something to happen to it. It says nothing while nobody has room. Safe to cancel.
    pub(super) async fn next(&mut self, has_room: bool) -> Said {
        let environment = self.environment.clone();
        let (mut out, mut err) = ([0; PAYLOAD_BYTES], [0; PAYLOAD_BYTES]);
        let drain_until = self.drain_until.filter(|_| has_room);
        let drained = async {
            match drain_until {
                Some(at) => environment.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = self.output.read(&mut out), if has_room && self.output.stream.is_some() => {
                self.note_output();
                self.output.take(&out, read).map_or(Said::Nothing, Said::Output)
            }
            read = self.error.read(&mut err), if has_room && self.error.stream.is_some() => {
                self.note_output();
                self.error.take(&err, read).map_or(Said::Nothing, Said::Error)
            }
            written = write(&mut self.input, self.waiting.front()), if !self.waiting.is_empty() => {
                self.written(written);
                Said::Nothing
            }
            code = ended(&mut self.control), if !self.ended => {
                (self.ended, self.code) = (true, code);
                self.drain_until = Some(self.environment.now() + DRAIN);
                Said::Nothing
            }
            () = drained => {
                (self.output.stream, self.error.stream) = (None, None);
                Said::Nothing
            }
        }
    }

    /// As long as output comes, more may.
    fn note_output(&mut self) {
        if self.drain_until.is_some() {
            self.drain_until = Some(self.environment.now() + DRAIN);
        }
    }

    fn written(&mut self, written: std::io::Result<usize>) {
        let Ok(count) = written else {
            // It reads no more.
            self.input = None;
            self.waiting.clear();
            self.waiting_bytes = 0;
            return;
        };
        self.waiting_bytes = self.waiting_bytes.saturating_sub(count);
        if let Some(front) = self.waiting.front_mut() {
            let _written = front.split_to(count.min(front.len()));
            if front.is_empty() {
                self.waiting.pop_front();
            }
        }
        self.end_input_if_written();
    }
}

impl Output {
    async fn read(&mut self, buffer: &mut [u8; PAYLOAD_BYTES]) -> std::io::Result<usize> {
        let room = PAYLOAD_BYTES - self.rest.len();
        match &mut self.stream {
            Some(stream) => stream.read(&mut buffer[..room]).await,
            None => std::future::pending().await,
        }
    }

    /// What can be said of what was read.
    fn take(&mut self, buffer: &[u8], read: std::io::Result<usize>) -> Option<Bytes> {
        let count = read.unwrap_or_default();
        let mut bytes = std::mem::take(&mut self.rest);
        bytes.extend_from_slice(&buffer[..count]);
        if count == 0 {
            self.stream = None;
        } else {
            self.rest = bytes.split_off(whole_characters(&bytes));
        }
        (!bytes.is_empty()).then(|| Bytes::from(bytes))
    }
}

async fn write(
    input: &mut Option<Box<dyn AsyncWrite + Send + Unpin>>,
    bytes: Option<&Bytes>,
) -> std::io::Result<usize> {
    match (input, bytes) {
        (Some(input), Some(bytes)) => input.write(bytes).await,
        _ => Err(std::io::ErrorKind::BrokenPipe.into()),
    }
}

async fn ended(control: &mut Option<Box<dyn AttachedControl>>) -> Option<i32> {
    match control {
        // A shim that is gone has taken its containers along.
        Some(control) => control.ended().await.unwrap_or_default(),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_kept_whole() {
        let mut output = Output { stream: None, rest: Vec::new() };
        let euro = "€".as_bytes();
        assert_eq!(output.take(&[b'a', euro[0], euro[1]], Ok(3)).as_deref(), Some(&b"a"[..]));
        assert_eq!(output.take(&euro[2..], Ok(1)).as_deref(), Some(euro));
        assert_eq!(output.take(&euro[..2], Ok(2)), None);
        assert_eq!(output.take(&[], Ok(0)).as_deref(), Some(&euro[..2]), "the end brings the rest");
    }
}
