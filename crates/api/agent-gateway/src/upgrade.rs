//! From an HTTP request to a websocket, and the websocket itself.

use agent_wire::{MOST_FRAME_BYTES, Refusal};
use bytes::Bytes;
use environment::Environment;
use futures::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// Longest wait for a frame to be written.
const SEND_TIME: Duration = Duration::from_secs(30);

/// Why an agent gets no websocket; the names are those of the protocol's model.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) kind: &'static str,
    pub(crate) message: &'static str,
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// The connection.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The agent closed.
    #[error("the agent closed the session")]
    Closed,
    /// The agent was silent.
    #[error("the agent was silent")]
    Silent,
    /// A newer session of the same agent.
    #[error("another session took its place")]
    Replaced,
    /// Changes of tasks came faster than the agent took them.
    #[error("the agent is too slow")]
    Slow,
    /// A frame that cannot be read or written.
    #[error(transparent)]
    Wire(#[from] agent_wire::WireError),
    /// Whether a role may be assumed cannot be known.
    #[error("assume the role of a task: {0}")]
    Roles(#[source] access::AccessError),
    /// The store.
    #[error("use the store: {0}")]
    Store(#[from] store::StoreError),
}

impl Refused {
    pub(crate) fn new(kind: &'static str, message: &'static str) -> Self {
        Self { kind, message }
    }

    /// Every place is taken.
    pub(crate) fn busy() -> Self {
        Self::new("ServerException", "Service unavailable. Please try again later.")
    }

    pub(crate) fn response(&self) -> Response<Full<Bytes>> {
        let body = Refusal { kind: self.kind.to_owned(), message: self.message.to_owned() }.encode();
        let mut response = Response::new(Full::new(Bytes::from(body)));
        let server = self.kind == "ServerException";
        *response.status_mut() =
            if server { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::BAD_REQUEST };
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

/// A parameter of the query, decoded.
pub(crate) fn parameter(uri: &Uri, name: &str) -> Option<String> {
    uri.query()?.split('&').find_map(|pair| {
        let (found, value) = pair.split_once('=')?;
        let value = percent_encoding::percent_decode_str(value).decode_utf8().ok()?;
        (found == name).then(|| value.into_owned())
    })
}

/// Checks the handshake and answers it.
pub(crate) fn begin(request: &mut Request<Incoming>) -> Result<(Response<Full<Bytes>>, OnUpgrade), Refused> {
    let bad = || Refused::new("BadRequestException", "A websocket handshake of version 13 is expected.");
    let headers = request.headers();
    let upgrade = has_token(headers, &header::UPGRADE, "websocket");
    let connection = has_token(headers, &header::CONNECTION, "upgrade");
    let version = headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| upgrade && connection && version);
    let accept = derive_accept_key(key.ok_or_else(bad)?.as_bytes());
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, HeaderValue::from_str(&accept).map_err(|_| bad())?);
    Ok((response, hyper::upgrade::on(request)))
}

fn has_token(headers: &HeaderMap, name: &header::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
}

/// Waits for the connection to become a websocket.
pub(crate) async fn finish(upgrading: OnUpgrade, environment: Environment) -> Result<Socket, SessionError> {
    let upgraded = upgrading.await.map_err(|error| SessionError::Broken(error.to_string()))?;
    let mut config = WebSocketConfig::default();
    config.max_message_size = Some(MOST_FRAME_BYTES);
    config.max_frame_size = Some(MOST_FRAME_BYTES);
    let stream = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    Ok(Socket { stream, environment })
}

/// What came over a websocket.
pub(crate) enum Frame {
    /// A text.
    Text(String),
    /// A message.
    Binary(Bytes),
    /// A sign of life.
    Other,
}

/// A websocket.
pub(crate) struct Socket {
    stream: WebSocketStream<TokioIo<Upgraded>>,
    environment: Environment,
}

impl Socket {
    /// The next text frame. Safe to cancel.
    pub(crate) async fn receive(&mut self) -> Result<String, SessionError> {
        loop {
            match self.stream.next().await {
                None | Some(Ok(Message::Close(_))) => return Err(SessionError::Closed),
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(SessionError::Broken(error.to_string())),
            }
        }
    }

    /// The next frame of any kind. Safe to cancel.
    pub(crate) async fn frame(&mut self) -> Result<Frame, SessionError> {
        match self.stream.next().await {
            None | Some(Ok(Message::Close(_))) => Err(SessionError::Closed),
            Some(Ok(Message::Text(text))) => Ok(Frame::Text(text.as_str().to_owned())),
            Some(Ok(Message::Binary(bytes))) => Ok(Frame::Binary(bytes)),
            Some(Ok(_)) => Ok(Frame::Other),
            Some(Err(error)) => Err(SessionError::Broken(error.to_string())),
        }
    }

    /// Sends a binary frame.
    pub(crate) async fn send_bytes(&mut self, frame: Bytes) -> Result<(), SessionError> {
        self.send_message(Message::Binary(frame)).await
    }

    /// Asks whether somebody is there.
    pub(crate) async fn ping(&mut self) -> Result<(), SessionError> {
        self.send_message(Message::Ping(Bytes::new())).await
    }

    /// Sends a text frame.
    pub(crate) async fn send(&mut self, frame: String) -> Result<(), SessionError> {
        self.send_message(Message::text(frame)).await
    }

    async fn send_message(&mut self, message: Message) -> Result<(), SessionError> {
        let sending = self.stream.send(message);
        tokio::select! {
            sent = sending => sent.map_err(|error| SessionError::Broken(error.to_string())),
            () = self.environment.sleep(SEND_TIME) => Err(SessionError::Silent),
        }
    }

    /// Says goodbye, and waits a moment for the other side to do so: a connection that is closed while something unread has come is
    /// reset, and what was sent last would be lost.
    pub(crate) async fn close(&mut self) {
        let farewell = async {
            if self.stream.close(None).await.is_ok() {
                while let Some(Ok(_)) = self.stream.next().await {}
            }
        };
        tokio::select! {
            () = farewell => {}
            () = self.environment.sleep(Duration::from_secs(1)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let uri: Uri = "/ws?a=1&containerInstanceArn=arn%3Aaws%3Aecs".parse().expect("a URI");
        assert_eq!(parameter(&uri, "containerInstanceArn").as_deref(), Some("arn:aws:ecs"));
        assert_eq!(parameter(&uri, "b"), None);
    }

    #[test]
    fn tokens_in_lists_count() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
        assert!(has_token(&headers, &header::CONNECTION, "upgrade"));
        assert!(!has_token(&headers, &header::UPGRADE, "websocket"));
    }
}
