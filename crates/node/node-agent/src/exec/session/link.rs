//! The agent's end of the stream, over a channel that may be lost and opened anew.

use super::super::ExecAgent;
use super::super::channel::{Channel, ChannelError, Frame};
use crate::backoff::Backoff;
use bytes::Bytes;
use environment::Timestamp;
use session_wire::{
    Acknowledged, Incoming, Kind, Message, MessageId, Outgoing, PayloadType, SessionState, TERMINATING,
};
use std::collections::VecDeque;
use std::time::Duration;

/// Attempts to open a lost channel anew, and the pauses between them; as the published agent has it.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const MOST_PAUSE: Duration = Duration::from_secs(5);
/// Messages of the client that wait for the command. More are not acknowledged, so they come again.
const MOST_UNHEARD: usize = 1024;
/// A server that is silent for so long is taken as gone; it pings more often.
const SILENCE: Duration = Duration::from_secs(90);

/// Why there is no stream any more.
pub(super) enum Over {
    /// The server says that the session is over.
    Closed,
    /// The channel is lost for good.
    Lost(String),
}

/// What has happened on the channel.
pub(super) enum Heard {
    /// A message.
    Frame(Bytes),
    /// A sign of life.
    Life,
    /// Something is to be sent again.
    Due,
    /// The channel is lost.
    Lost(ChannelError),
}

pub(super) struct Link {
    agent: ExecAgent,
    session: String,
    client_id: String,
    channel: Channel,
    outgoing: Outgoing,
    incoming: Incoming,
    /// In order, not looked at yet.
    unheard: VecDeque<Message>,
    /// Looked at and put aside.
    kept: Vec<Message>,
    heard_at: Timestamp,
}

impl Link {
    pub(super) async fn open(agent: ExecAgent, session: String) -> Result<Self, Over> {
        let client_id = agent.host.environment.uuid();
        let channel = dial(&agent, &session, &client_id).await?;
        Ok(Self {
            heard_at: agent.host.environment.now(),
            agent,
            session,
            client_id,
            channel,
            outgoing: Outgoing::new(Kind::Output, false),
            incoming: Incoming::default(),
            unheard: VecDeque::new(),
            kept: Vec::new(),
        })
    }

    pub(super) fn is_full(&self) -> bool {
        self.outgoing.is_full()
    }

    /// Puts a payload into the stream.
    pub(super) async fn push(&mut self, payload_type: PayloadType, payload: Bytes) -> Result<(), Over> {
        let environment = &self.agent.host.environment;
        let (id, now) = (MessageId::random(environment), environment.now());
        match self.outgoing.push(payload_type, payload, id, now) {
            Some(frame) => self.send(frame).await,
            None => Ok(()),
        }
    }

    /// Waits for something to happen. Safe to cancel.
    pub(super) async fn wait(&mut self) -> Heard {
        let environment = self.agent.host.environment.clone();
        let due_at = self.outgoing.due_at();
        let due = async {
            match due_at {
                Some(at) => environment.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let silent_at = self.heard_at + SILENCE;
        tokio::select! {
            frame = self.channel.receive() => match frame {
                Ok(Frame::Binary(frame)) => Heard::Frame(frame),
                Ok(Frame::Other) => Heard::Life,
                Err(error) => Heard::Lost(error),
            },
            () = due => Heard::Due,
            () = environment.sleep_until(silent_at) => Heard::Lost(ChannelError::Silent),
        }
    }

    /// Does what follows from what has happened.
    pub(super) async fn act(&mut self, heard: Heard) -> Result<(), Over> {
        let now = self.agent.host.environment.now();
        match heard {
            Heard::Frame(frame) => {
                self.heard_at = now;
                match Message::decode(&frame) {
                    Ok(message) => self.take(message, now).await,
                    Err(error) => {
                        tracing::debug!(session = self.session, %error, "a message is left out");
                        Ok(())
                    }
                }
            }
            Heard::Life => {
                self.heard_at = now;
                Ok(())
            }
            Heard::Due => {
                if self.outgoing.gave_up() {
                    return Err(Over::Lost("the client acknowledges nothing".to_owned()));
                }
                match self.outgoing.resend(now) {
                    Some(frame) => self.send(frame).await,
                    None => Ok(()),
                }
            }
            Heard::Lost(error) => self.reopen(&error).await,
        }
    }

    async fn take(&mut self, message: Message, now: Timestamp) -> Result<(), Over> {
        match message.kind {
            Kind::Input => {
                if self.unheard.len() >= MOST_UNHEARD {
                    return Ok(());
                }
                let again = message.clone();
                let taken = self.incoming.take(message);
                let none_ready = taken.ready.is_empty();
                self.unheard.extend(taken.ready);
                // What is ready is acknowledged when it is looked at.
                if taken.acknowledge && none_ready { self.acknowledge(&again).await } else { Ok(()) }
            }
            Kind::Acknowledge => {
                if let Ok(acknowledged) = serde_json::from_slice::<Acknowledged>(&message.payload) {
                    self.outgoing.acknowledge(acknowledged.sequence, now);
                }
                Ok(())
            }
            Kind::PausePublication => {
                self.outgoing.pause();
                Ok(())
            }
            Kind::StartPublication => self.send_all_again(now).await,
            Kind::ChannelClosed => Err(Over::Closed),
            _ => Ok(()),
        }
    }

    async fn send_all_again(&mut self, now: Timestamp) -> Result<(), Over> {
        for frame in self.outgoing.start(now) {
            self.send(frame).await?;
        }
        Ok(())
    }

    /// Sends a frame; what belongs to the stream is sent again when the channel is lost.
    async fn send(&mut self, frame: Bytes) -> Result<(), Over> {
        match self.channel.send(frame).await {
            Ok(()) => Ok(()),
            Err(error) => Box::pin(self.reopen(&error)).await,
        }
    }

    async fn reopen(&mut self, error: &ChannelError) -> Result<(), Over> {
        tracing::debug!(session = self.session, %error, "the channel of a session is lost");
        let environment = self.agent.host.environment.clone();
        let mut backoff = Backoff::new(FIRST_PAUSE, MOST_PAUSE);
        let mut last = error.to_string();
        for _ in 0..ATTEMPTS {
            environment.sleep(backoff.next(&environment)).await;
            match dial(&self.agent, &self.session, &self.client_id).await {
                Ok(channel) => {
                    self.channel = channel;
                    self.heard_at = environment.now();
                    return self.send_all_again(self.heard_at).await;
                }
                Err(Over::Lost(reason)) => last = reason,
                Err(Over::Closed) => return Err(Over::Closed),
            }
        }
        Err(Over::Lost(last))
    }

    /// Tells the client that a message has arrived.
    pub(super) async fn acknowledge(&mut self, message: &Message) -> Result<(), Over> {
        let acknowledged = Acknowledged {
            kind: message.kind.as_str().to_owned(),
            id: message.id.to_string(),
            sequence: message.sequence,
            sequential: true,
        };
        // Documents of texts and numbers can always be written.
        let text = serde_json::to_string(&acknowledged).unwrap_or_default();
        self.send(Message::alone(Kind::Acknowledge, text, &self.agent.host.environment).encode()).await
    }

    /// The next message that was not looked at.
    pub(super) fn next_unheard(&mut self) -> Option<Message> {
        self.unheard.pop_front()
    }

    pub(super) fn take_unheard(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.unheard).into()
    }

    /// Puts a message aside.
    pub(super) fn keep(&mut self, message: Message) {
        self.kept.push(message);
    }

    pub(super) fn take_kept(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.kept)
    }

    /// Makes messages to be looked at once more.
    pub(super) fn put_back(&mut self, messages: Vec<Message>) {
        for message in messages.into_iter().rev() {
            self.unheard.push_front(message);
        }
    }

    /// Waits for something to happen; false when the time is over.
    pub(super) async fn wait_until(&mut self, deadline: Timestamp) -> Result<bool, Over> {
        let environment = self.agent.host.environment.clone();
        let heard = tokio::select! {
            heard = self.wait() => heard,
            () = environment.sleep_until(deadline) => return Ok(false),
        };
        self.act(heard).await.map(|()| true)
    }

    /// Waits until the client has acknowledged everything, or the time is over.
    pub(super) async fn flush(&mut self, time: Duration) -> Result<(), Over> {
        let deadline = self.agent.host.environment.now() + time;
        while !self.outgoing.is_empty() && self.wait_until(deadline).await? {
            // What the client says now is for nobody.
            for message in self.take_unheard() {
                self.acknowledge(&message).await?;
            }
        }
        Ok(())
    }

    /// Tells the server that the session is about to end.
    pub(super) async fn say_terminating(&mut self) -> Result<(), Over> {
        let state = SessionState {
            schema_version: 1,
            session_state: TERMINATING.to_owned(),
            session_id: self.session.clone(),
        };
        // Documents of texts can always be written.
        let text = serde_json::to_string(&state).unwrap_or_default();
        self.send(Message::alone(Kind::SessionState, text, &self.agent.host.environment).encode()).await
    }

    /// Waits for the server to close the session.
    pub(super) async fn wait_for_close(&mut self, time: Duration) -> Result<(), Over> {
        let deadline = self.agent.host.environment.now() + time;
        while self.wait_until(deadline).await? {
            self.unheard.clear();
        }
        Ok(())
    }

    pub(super) async fn close(self) {
        self.channel.close().await;
    }
}

async fn dial(agent: &ExecAgent, session: &str, client_id: &str) -> Result<Channel, Over> {
    let signer = agent.signer().await;
    let opened = Channel::open_data(&agent.host.api, &signer, session, client_id, &agent.target()).await;
    opened.map_err(|error| match error {
        // There is no such session any more.
        ChannelError::Token(error) if error.code() == Some("ChannelNotFoundException") => Over::Closed,
        other => Over::Lost(other.to_string()),
    })
}
