//! What stands between the two ends of a session.

use super::Inner;
use bytes::Bytes;
use environment::Timestamp;
use resources::ssm::{Session, SessionStatus};
use session_wire::{ChannelClosed, Kind, LogTarget, Message, SessionOrder, SessionState, TERMINATING};
use std::time::Duration;
use store::StoreError;
use tokio::sync::mpsc;

/// Notes that wait for a relay.
pub(super) const QUEUE: usize = 256;
/// Frames that wait for one end: more than both windows and their acknowledgements, so that an end that reads loses
/// none. What does not fit is dropped, and sent again by whoever has it.
pub(super) const FRAMES: usize = 2048;
/// A session in which nobody says anything ends, as on AWS.
const IDLE: Duration = Duration::from_secs(20 * 60);
/// How long the agent may take to open its end, and to come back to it.
const AGENT_TIME: Duration = Duration::from_secs(30);
/// How long the client may take to open its end at first, and to come back to it.
const FIRST_CLIENT_TIME: Duration = Duration::from_secs(60);
const CLIENT_TIME: Duration = Duration::from_secs(30);

/// Which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Agent,
}

/// What a relay is told.
pub(super) enum Note {
    /// An end is there. The number tells its connection from others of the same end.
    Joined { side: Side, number: u64, frames: mpsc::Sender<Bytes> },
    /// An end says something.
    Frame { side: Side, number: u64, frame: Bytes },
    /// A connection is gone.
    Left { side: Side, number: u64 },
    /// The session is to end, with a reason where it does not end by itself.
    Over(String),
}

/// One end as the relay sees it.
struct End {
    connection: Option<(u64, mpsc::Sender<Bytes>)>,
    /// When it must be there.
    due_at: Timestamp,
}

struct Relay<'a> {
    gateway: &'a Inner,
    session: Session,
    client: End,
    agent: End,
    heard_at: Timestamp,
}

/// Runs until the session is over and written down as such.
pub(super) async fn run(gateway: &Inner, session: Session, mut notes: mpsc::Receiver<Note>) {
    let now = gateway.environment.now();
    let mut relay = Relay {
        gateway,
        session,
        client: End { connection: None, due_at: now + FIRST_CLIENT_TIME },
        agent: End { connection: None, due_at: now + AGENT_TIME },
        heard_at: now,
    };
    let reason = relay.serve(&mut notes).await;
    tracing::info!(session = relay.session.id, reason, "a session is over");
    if let Err(error) = gateway.note_end(&relay.session.id, &reason).await {
        tracing::error!(session = relay.session.id, %error, "cannot note the end of a session");
    }
    relay.close(&reason);
}

impl Relay<'_> {
    /// Answers why the session is over; empty when it has ended by itself.
    async fn serve(&mut self, notes: &mut mpsc::Receiver<Note>) -> String {
        if self.session.status != SessionStatus::Active {
            return String::new();
        }
        loop {
            if !self.session.delivered {
                // Before looking, so that a channel that opens meanwhile is not missed.
                let opened = self.gateway.control_opened.notified();
                tokio::pin!(opened);
                opened.as_mut().enable();
                if let Err(error) = self.deliver().await {
                    tracing::error!(session = self.session.id, %error, "cannot tell the agent of a session");
                    return "The session could not be started.".to_owned();
                }
                if !self.session.delivered {
                    tokio::select! {
                        () = opened => {}
                        note = notes.recv() => if let Some(reason) = self.hear(note) { return reason },
                        reason = self.late() => return reason,
                    }
                    continue;
                }
            }
            tokio::select! {
                note = notes.recv() => if let Some(reason) = self.hear(note) { return reason },
                reason = self.late() => return reason,
            }
        }
    }

    /// Waits until something has not happened in time.
    async fn late(&self) -> String {
        let environment = &self.gateway.environment;
        let absent = |end: &End| end.connection.is_none().then_some(end.due_at);
        let due = [
            (Some(self.heard_at + IDLE), "The session was idle for 20 minutes."),
            (absent(&self.client), "The client is gone."),
            (absent(&self.agent), "The agent of the container is not connected."),
        ];
        let first = due.into_iter().filter_map(|(at, why)| at.map(|at| (at, why))).min_by_key(|(at, _)| *at);
        match first {
            Some((at, why)) => {
                environment.sleep_until(at).await;
                why.to_owned()
            }
            None => std::future::pending().await,
        }
    }

    /// Tells the agent of the session, if its control channel is open.
    async fn deliver(&mut self) -> Result<(), StoreError> {
        let key = format!("{}/{}", self.session.account, self.session.target());
        if !self.gateway.controls.lock().contains_key(&key) {
            return Ok(());
        }
        // First written down: a session is never started twice.
        let change = |old: &Session| {
            let new = Session { delivered: true, ..old.clone() };
            Ok::<_, StoreError>((!old.delivered).then_some(new))
        };
        self.gateway.tables.update(&self.session.id, change).await?;
        self.session.delivered = true;
        let order = SessionOrder {
            session_id: self.session.id.clone(),
            command: self.session.command.clone(),
            owner: self.session.owner.clone(),
            logs: self.session.log_group.clone().map(|group| LogTarget { group }),
        };
        // Documents of texts can always be written.
        let text = order.write().unwrap_or_default();
        let message = Message::alone(Kind::InteractiveShell, text, &self.gateway.environment);
        if !self.gateway.tell(&key, message.encode()) {
            tracing::info!(session = self.session.id, "the agent of a session went away");
        }
        self.agent.due_at = self.gateway.environment.now() + AGENT_TIME;
        Ok(())
    }

    /// Takes a note; answers why the session is over with it.
    fn hear(&mut self, note: Option<Note>) -> Option<String> {
        match note? {
            Note::Joined { side, number, frames } => self.joined(side, number, frames),
            Note::Left { side, number } => self.left(side, number),
            Note::Over(reason) => return Some(reason),
            Note::Frame { side, number, frame } => {
                if self.end(side).connection.as_ref().is_some_and(|(own, _)| *own == number) {
                    return self.pass(side, frame);
                }
            }
        }
        None
    }

    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Client => &mut self.client,
            Side::Agent => &mut self.agent,
        }
    }

    fn joined(&mut self, side: Side, number: u64, frames: mpsc::Sender<Bytes>) {
        self.end(side).connection = Some((number, frames));
        // The agent sends only while there is somebody to read.
        let kind =
            if self.client.connection.is_some() { Kind::StartPublication } else { Kind::PausePublication };
        self.send(Side::Agent, kind);
        if side == Side::Client {
            self.send(Side::Client, Kind::StartPublication);
        }
    }

    fn left(&mut self, side: Side, number: u64) {
        let now = self.gateway.environment.now();
        let wait = if side == Side::Client { CLIENT_TIME } else { AGENT_TIME };
        let end = self.end(side);
        if end.connection.as_ref().is_none_or(|(own, _)| *own != number) {
            return;
        }
        end.connection = None;
        end.due_at = now + wait;
        if side == Side::Client {
            self.send(Side::Agent, Kind::PausePublication);
        }
    }

    /// Sends a message without content.
    fn send(&self, side: Side, kind: Kind) {
        self.hand(side, Message::alone(kind, Bytes::new(), &self.gateway.environment).encode());
    }

    fn hand(&self, side: Side, frame: Bytes) {
        let end = if side == Side::Client { &self.client } else { &self.agent };
        if let Some((_, frames)) = &end.connection
            && frames.try_send(frame).is_err()
        {
            tracing::debug!(session = self.session.id, ?side, "a frame of a session is dropped");
        }
    }

    /// Hands a message on to the other end; answers why the session is over with it.
    fn pass(&mut self, from: Side, frame: Bytes) -> Option<String> {
        let Ok(message) = Message::decode(&frame) else { return None };
        let to = match (from, &message.kind) {
            (Side::Client, Kind::Input) | (Side::Agent, Kind::Output) => {
                self.heard_at = self.gateway.environment.now();
                if from == Side::Client { Side::Agent } else { Side::Client }
            }
            (Side::Client, Kind::Acknowledge) => Side::Agent,
            (Side::Agent, Kind::Acknowledge) => Side::Client,
            (Side::Agent, Kind::SessionState) => {
                let state: SessionState = serde_json::from_slice(&message.payload).unwrap_or_default();
                return (state.session_state == TERMINATING).then(String::new);
            }
            _ => return None,
        };
        self.hand(to, frame);
        None
    }

    /// Says to both ends that the session is over.
    fn close(&self, reason: &str) {
        let frame = closed(self.gateway, &self.session, reason);
        self.hand(Side::Client, frame.clone());
        self.hand(Side::Agent, frame);
    }
}

/// The message that a session is over.
pub(super) fn closed(gateway: &Inner, session: &Session, reason: &str) -> Bytes {
    let environment = &gateway.environment;
    let closed = ChannelClosed {
        message_id: environment.uuid(),
        created_date: environment.now().as_millis().to_string(),
        destination_id: session.target(),
        session_id: session.id.clone(),
        message_type: Kind::ChannelClosed.as_str().to_owned(),
        schema_version: 1,
        output: reason.to_owned(),
    };
    // A document of texts can always be written.
    let text = serde_json::to_string(&closed).unwrap_or_default();
    Message::alone(Kind::ChannelClosed, text, environment).encode()
}
