//! Channels to the region: a signed request for a token, then a websocket that the token opens.

use crate::api::{Api, ApiError};
use crate::socket::dial;
use aws_wire::sigv4::Signer;
use bytes::Bytes;
use environment::Environment;
use futures::{SinkExt, StreamExt};
use serde::Serialize;
use session_wire::{ControlOpening, DataOpening};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Version of the agent that servers and clients are told.
pub(super) const VERSION: &str = "3.3.1802.0";
/// Version of the requests.
const SCHEMA: &str = "1.0";
/// Longest wait for a frame to be written.
const SEND_TIME: Duration = Duration::from_secs(30);

/// Why there is no channel, or no more.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChannelError {
    /// The request for its token.
    #[error("{0}")]
    Token(#[from] ApiError),
    /// The connection.
    #[error("{0}")]
    Broken(String),
    /// The server closed.
    #[error("the server closed the channel")]
    Closed,
    /// The server was silent.
    #[error("nothing happened in time")]
    Silent,
}

/// What came over a channel.
pub(super) enum Frame {
    /// A message.
    Binary(Bytes),
    /// A sign of life.
    Other,
}

/// An open channel.
pub(super) struct Channel {
    stream: WebSocketStream<TcpStream>,
    environment: Environment,
}

impl Channel {
    /// Opens the control channel of a target.
    pub(super) async fn open_control(api: &Api, signer: &Signer, target: &str) -> Result<Self, ChannelError> {
        let path = format!("/v1/control-channel/{target}");
        let request_id = api.environment().uuid();
        let body = serde_json::json!({"MessageSchemaVersion": SCHEMA, "RequestId": request_id});
        let token = api.channel_token(signer, &path, &body).await?;
        let opening = ControlOpening {
            message_schema_version: SCHEMA.to_owned(),
            request_id,
            token_value: token,
            agent_version: VERSION.to_owned(),
        };
        Self::open(api, signer, &format!("{path}?role=subscribe&stream=input"), &opening).await
    }

    /// Opens the agent's end of a session.
    pub(super) async fn open_data(
        api: &Api,
        signer: &Signer,
        session: &str,
        client: &str,
        target: &str,
    ) -> Result<Self, ChannelError> {
        let path = format!("/v1/data-channel/{session}");
        let request_id = api.environment().uuid();
        let body =
            serde_json::json!({"MessageSchemaVersion": SCHEMA, "RequestId": request_id, "ClientId": client});
        let token = api.channel_token(signer, &path, &body).await?;
        let opening = DataOpening {
            message_schema_version: SCHEMA.to_owned(),
            request_id,
            token_value: token,
            client_id: client.to_owned(),
            client_version: String::new(),
            client_instance_id: target.to_owned(),
        };
        Self::open(api, signer, &format!("{path}?role=publish_subscribe"), &opening).await
    }

    async fn open(
        api: &Api,
        signer: &Signer,
        path: &str,
        opening: &impl Serialize,
    ) -> Result<Self, ChannelError> {
        let base = api.endpoint().to_string();
        let address = format!("{}{path}", base.trim_end_matches('/'));
        let environment = api.environment().clone();
        let stream = dial(&address, signer, "ssmmessages", &environment).await;
        let stream = stream.map_err(|error| ChannelError::Broken(error.to_string()))?;
        let mut channel = Self { stream, environment };
        // Documents of texts can always be written.
        let text = serde_json::to_string(opening).unwrap_or_default();
        channel.send_message(Message::text(text)).await?;
        Ok(channel)
    }

    /// The next frame. Safe to cancel.
    pub(super) async fn receive(&mut self) -> Result<Frame, ChannelError> {
        match self.stream.next().await {
            None | Some(Ok(Message::Close(_))) => Err(ChannelError::Closed),
            Some(Ok(Message::Binary(bytes))) => Ok(Frame::Binary(bytes)),
            Some(Ok(_)) => Ok(Frame::Other),
            Some(Err(error)) => Err(ChannelError::Broken(error.to_string())),
        }
    }

    /// Sends a message.
    pub(super) async fn send(&mut self, frame: Bytes) -> Result<(), ChannelError> {
        self.send_message(Message::Binary(frame)).await
    }

    async fn send_message(&mut self, message: Message) -> Result<(), ChannelError> {
        tokio::select! {
            sent = self.stream.send(message) => sent.map_err(|error| ChannelError::Broken(error.to_string())),
            () = self.environment.sleep(SEND_TIME) => Err(ChannelError::Silent),
        }
    }

    /// Says goodbye; what the other side makes of it does not matter.
    pub(super) async fn close(mut self) {
        tokio::select! {
            _ = self.stream.close(None) => {}
            () = self.environment.sleep(Duration::from_secs(1)) => {}
        }
    }
}
