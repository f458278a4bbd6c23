//! The client's end of a session.

use super::terminal::Terminal;
use crate::client::Client;
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use environment::{Environment, Timestamp};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use session_wire::{
    Acknowledged, ChannelClosed, DataOpening, EXIT_CODE_ACTION, FLAG_DISCONNECT_TO_PORT,
    FLAG_TERMINATE_SESSION, HandshakeRequest, HandshakeResponse, Incoming, Kind, MOST_MESSAGE_BYTES, Message,
    MessageId, Outgoing, PAYLOAD_BYTES, PayloadType, Processed, SESSION_TYPE_ACTION,
};
use std::io::{Read, Write};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Attempts to come back to a session whose connection is lost, and the pause before each.
const ATTEMPTS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(500);
/// A server that is silent for so long is taken as gone; it pings more often.
const SILENCE: Duration = Duration::from_secs(90);
/// Wait for a connection.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// Time for a session to end that is to end.
const END_TIME: Duration = Duration::from_secs(5);

type Socket = WebSocketStream<TcpStream>;

/// How a session ended.
pub(super) struct End {
    /// The command's exit code.
    pub(super) code: Option<i32>,
    /// Why, where it did not end by itself.
    pub(super) reason: String,
}

pub(super) struct Session<'a> {
    client: &'a Client,
    environment: Environment,
    id: String,
    socket: Socket,
    terminal: Terminal,
    outgoing: Outgoing,
    incoming: Incoming,
    /// What is typed; its end is the end of the input.
    keys: Option<mpsc::Receiver<Bytes>>,
    resized: Signal,
    interrupted: Signal,
    /// The command runs, or is about to.
    begun: bool,
    code: Option<i32>,
    give_up_at: Option<Timestamp>,
}

impl<'a> Session<'a> {
    pub(super) async fn open(
        client: &'a Client,
        id: String,
        url: String,
        token: String,
        terminal: Terminal,
    ) -> Result<Self> {
        let environment = Environment::real();
        Ok(Self {
            socket: connect(&environment, &url, &token).await?,
            client,
            environment,
            id,
            terminal,
            outgoing: Outgoing::new(Kind::Input, false),
            incoming: Incoming::default(),
            keys: None,
            resized: signal(SignalKind::window_change())?,
            interrupted: signal(SignalKind::interrupt())?,
            begun: false,
            code: None,
            give_up_at: None,
        })
    }

    /// Hands everything to and fro until the session is over. The terminal is as before when it returns.
    pub(super) async fn run(mut self) -> Result<End> {
        let mut heard_at = self.environment.now();
        loop {
            let environment = self.environment.clone();
            let (due_at, give_up_at) = (self.outgoing.due_at(), self.give_up_at);
            let reads = self.keys.is_some() && !self.outgoing.is_full();
            tokio::select! {
                frame = self.socket.next() => {
                    heard_at = environment.now();
                    match frame {
                        Some(Ok(Frame::Binary(frame))) => {
                            if let Some(end) = self.hear(&frame).await? {
                                return Ok(end);
                            }
                        }
                        Some(Ok(Frame::Close(_)) | Err(_)) | None => {
                            if let Some(end) = self.resume().await? {
                                return Ok(end);
                            }
                            heard_at = environment.now();
                        }
                        Some(Ok(_)) => {}
                    }
                }
                typed = next(self.keys.as_mut()), if reads => self.typed(typed).await?,
                _ = self.resized.recv(), if self.begun && self.terminal.is_one() => self.send_size().await?,
                _ = self.interrupted.recv() => {
                    // With a terminal the key goes to the command; this one came from elsewhere.
                    self.push_flag(FLAG_TERMINATE_SESSION).await?;
                    self.give_up_at.get_or_insert(environment.now() + END_TIME);
                }
                () = sleep_until(&environment, due_at) => {
                    if let Some(frame) = self.outgoing.resend(environment.now()) {
                        self.send(frame).await?;
                    }
                }
                () = sleep_until(&environment, give_up_at) => {
                    return Ok(End { code: Some(130), reason: String::new() });
                }
                () = environment.sleep_until(heard_at + SILENCE) => bail!("the region is silent"),
            }
        }
    }

    /// Takes a message; answers how the session ended, if so.
    async fn hear(&mut self, frame: &Bytes) -> Result<Option<End>> {
        let Ok(message) = Message::decode(frame) else { return Ok(None) };
        match message.kind {
            Kind::Output => {
                let again = message.clone();
                let taken = self.incoming.take(message);
                for message in taken.ready {
                    self.take(message).await?;
                }
                if taken.acknowledge {
                    self.acknowledge(&again).await?;
                }
            }
            Kind::Acknowledge => {
                if let Ok(acknowledged) = serde_json::from_slice::<Acknowledged>(&message.payload) {
                    self.outgoing.acknowledge(acknowledged.sequence, self.environment.now());
                }
            }
            Kind::ChannelClosed => {
                let closed: ChannelClosed = serde_json::from_slice(&message.payload).unwrap_or_default();
                return Ok(Some(End { code: self.code, reason: closed.output }));
            }
            _ => {}
        }
        Ok(None)
    }

    /// Takes what the agent says, in order.
    async fn take(&mut self, message: Message) -> Result<()> {
        match message.payload_type {
            PayloadType::Output => {
                // While this waits, nothing is acknowledged: so the command waits, too.
                let mut out = std::io::stdout().lock();
                out.write_all(&message.payload).context("write the output")?;
                out.flush().context("write the output")?;
            }
            PayloadType::StdErr | PayloadType::Error => {
                std::io::stderr().lock().write_all(&message.payload).context("write the errors")?;
            }
            PayloadType::ExitCode => {
                self.code =
                    std::str::from_utf8(&message.payload).ok().and_then(|text| text.trim().parse().ok());
            }
            PayloadType::HandshakeRequest => {
                let request: HandshakeRequest =
                    serde_json::from_slice(&message.payload).context("read the agent's handshake")?;
                let response = Bytes::from(serde_json::to_vec(&answer(&request))?);
                self.push(PayloadType::HandshakeResponse, response).await?;
            }
            PayloadType::HandshakeComplete => {
                self.begun = true;
                self.send_size().await?;
                self.keys = Some(keys());
            }
            _ => {}
        }
        Ok(())
    }

    async fn typed(&mut self, typed: Option<Bytes>) -> Result<()> {
        if let Some(typed) = typed {
            return self.push(PayloadType::Output, typed).await;
        }
        self.keys = None;
        self.push_flag(FLAG_DISCONNECT_TO_PORT).await
    }

    async fn send_size(&mut self) -> Result<()> {
        let size = Bytes::from(serde_json::to_vec(&self.terminal.size())?);
        self.push(PayloadType::Size, size).await
    }

    async fn push_flag(&mut self, flag: u32) -> Result<()> {
        self.push(PayloadType::Flag, Bytes::copy_from_slice(&flag.to_be_bytes())).await
    }

    async fn push(&mut self, payload_type: PayloadType, payload: Bytes) -> Result<()> {
        let id = MessageId::random(&self.environment);
        match self.outgoing.push(payload_type, payload, id, self.environment.now()) {
            Some(frame) => self.send(frame).await,
            None => Ok(()),
        }
    }

    async fn acknowledge(&mut self, message: &Message) -> Result<()> {
        let acknowledged = Acknowledged {
            kind: message.kind.as_str().to_owned(),
            id: message.id.to_string(),
            sequence: message.sequence,
            sequential: true,
        };
        let text = serde_json::to_string(&acknowledged)?;
        self.send(Message::alone(Kind::Acknowledge, text, &self.environment).encode()).await
    }

    /// Sends a frame. One that does not get through is noticed by the loss of the connection, and sent again after it.
    async fn send(&mut self, frame: Bytes) -> Result<()> {
        let sent = tokio::time::timeout(SILENCE, self.socket.send(Frame::Binary(frame))).await;
        if !matches!(sent, Ok(Ok(()))) {
            tracing::debug!("a frame was not sent");
        }
        Ok(())
    }

    /// Comes back to the session over a new connection; answers its end when it is over.
    async fn resume(&mut self) -> Result<Option<End>> {
        let mut last = None;
        for attempt in 0..ATTEMPTS {
            self.environment.sleep(PAUSE * attempt).await;
            let resumed = self.client.ssm("ResumeSession", &json!({"SessionId": self.id})).await;
            let answer = match resumed {
                Ok(answer) => answer,
                Err(error) => {
                    last = Some(error);
                    continue;
                }
            };
            let (Some(url), Some(token)) = (answer["StreamUrl"].as_str(), answer["TokenValue"].as_str())
            else {
                return Ok(Some(End { code: self.code, reason: "The session is over.".to_owned() }));
            };
            match connect(&self.environment, url, token).await {
                Ok(socket) => {
                    self.socket = socket;
                    for frame in self.outgoing.start(self.environment.now()) {
                        self.send(frame).await?;
                    }
                    return Ok(None);
                }
                Err(error) => last = Some(error),
            }
        }
        let error = last.unwrap_or_else(|| anyhow::anyhow!("nobody answers"));
        Err(error.context("the connection to the session was lost"))
    }
}

/// What this client does of what an agent asks.
fn answer(request: &HandshakeRequest) -> HandshakeResponse {
    let done = request.requested_client_actions.iter().map(|action| {
        let known = [SESSION_TYPE_ACTION, EXIT_CODE_ACTION].contains(&action.action_type.as_str());
        let error = if known { String::new() } else { format!("Unsupported action {}", action.action_type) };
        Processed {
            action_type: action.action_type.clone(),
            action_status: if known { 1 } else { 3 },
            action_result: Value::Null,
            error,
        }
    });
    let processed_client_actions: Vec<Processed> = done.collect();
    let errors = processed_client_actions.iter().filter(|done| !done.error.is_empty());
    HandshakeResponse {
        client_version: format!("longshore-{}", env!("CARGO_PKG_VERSION")),
        errors: errors.map(|done| done.error.clone()).collect(),
        processed_client_actions,
    }
}

async fn connect(environment: &Environment, url: &str, token: &str) -> Result<Socket> {
    let host = url.strip_prefix("ws://").and_then(|rest| rest.split('/').next());
    let host = host.with_context(|| format!("{url} is no address of a session"))?;
    let connected = async {
        let stream = TcpStream::connect(host).await.with_context(|| format!("reach {host}"))?;
        stream.set_nodelay(true)?;
        let mut config = WebSocketConfig::default();
        config.max_message_size = Some(MOST_MESSAGE_BYTES);
        config.max_frame_size = Some(MOST_MESSAGE_BYTES);
        let (mut socket, _) = client_async_with_config(url, stream, Some(config)).await?;
        let opening = DataOpening {
            message_schema_version: "1.0".to_owned(),
            request_id: environment.uuid(),
            token_value: token.to_owned(),
            client_id: environment.uuid(),
            client_version: env!("CARGO_PKG_VERSION").to_owned(),
            client_instance_id: String::new(),
        };
        socket.send(Frame::text(serde_json::to_string(&opening)?)).await?;
        anyhow::Ok(socket)
    };
    tokio::time::timeout(CONNECT_TIME, connected).await.context("the region does not answer in time")?
}

/// Reads the input in a thread of its own, which waits for the keyboard until the program ends.
fn keys() -> mpsc::Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut buffer = [0; PAYLOAD_BYTES];
        let mut stdin = std::io::stdin().lock();
        while let Ok(count) = stdin.read(&mut buffer)
            && count > 0
            && sender.blocking_send(Bytes::copy_from_slice(&buffer[..count])).is_ok()
        {}
    });
    receiver
}

async fn next(keys: Option<&mut mpsc::Receiver<Bytes>>) -> Option<Bytes> {
    match keys {
        Some(keys) => keys.recv().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(environment: &Environment, at: Option<Timestamp>) {
    match at {
        Some(at) => environment.sleep_until(at).await,
        None => std::future::pending().await,
    }
}
