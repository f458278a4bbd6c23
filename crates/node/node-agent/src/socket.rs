//! Signed websockets to the server.

use crate::api::Api;
use agent_wire::{MOST_FRAME_BYTES, Refusal};
use aws_wire::sigv4::{Signer, sign};
use environment::Environment;
use futures::{SinkExt, StreamExt};
use http::{HeaderValue, Method, Request, Uri, header};
use std::fmt::Write;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Longest wait for a connection and its upgrade, and for one frame to be written.
const SOCKET_TIME: Duration = Duration::from_secs(30);

/// Why there is no websocket, or no more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    /// The address cannot be used.
    #[error("{0} is no address of a websocket")]
    Address(String),
    /// The server refuses, and says why.
    #[error("the server refuses: {}: {}", .0.kind, .0.message)]
    Refused(Refusal),
    /// The server answered with something else than a websocket.
    #[error("the server answered with status {0}")]
    Status(u16),
    /// The connection.
    #[error("{0}")]
    Broken(String),
    /// The server closed.
    #[error("the server closed the connection")]
    Closed,
    /// The server was silent.
    #[error("nothing happened in time")]
    Silent,
}

/// A websocket of text frames.
pub(crate) struct Socket {
    stream: WebSocketStream<TcpStream>,
    environment: Environment,
    host: String,
    uri: Uri,
    signer: Signer,
}

/// An address with `ws` and a query, its values escaped and sorted by name.
pub(crate) fn address(base: &str, query: &[(&str, &str)]) -> String {
    let mut pairs: Vec<_> = query.iter().map(|(name, value)| (*name, escaped(value))).collect();
    pairs.sort();
    let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{}/ws?{}", base.trim_end_matches('/'), query.join("&"))
}

fn escaped(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len() * 2), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

impl Socket {
    /// Connects to a plain HTTP address as [`address`] makes it.
    pub(crate) async fn dial(
        address: &str,
        api: &Api,
        environment: &Environment,
    ) -> Result<Self, SocketError> {
        let dialling = Self::dial_patiently(address, api.signer(), environment);
        tokio::select! {
            dialled = dialling => dialled,
            () = environment.sleep(SOCKET_TIME) => Err(SocketError::Silent),
        }
    }

    async fn dial_patiently(
        address: &str,
        signer: &Signer,
        environment: &Environment,
    ) -> Result<Self, SocketError> {
        let uri: Uri = address.parse().map_err(|_| SocketError::Address(address.to_owned()))?;
        let host = uri.authority().map_or_else(String::new, ToString::to_string);
        let stream = dial(address, signer, "ecs", environment).await?;
        Ok(Self { stream, environment: environment.clone(), host, uri, signer: signer.clone() })
    }

    /// The next text frame. Safe to cancel.
    pub(crate) async fn receive(&mut self) -> Result<String, SocketError> {
        loop {
            match self.stream.next().await {
                None | Some(Ok(Message::Close(_))) => return Err(SocketError::Closed),
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(SocketError::Broken(error.to_string())),
            }
        }
    }

    /// Sends a text frame.
    pub(crate) async fn send(&mut self, frame: String) -> Result<(), SocketError> {
        let sending = self.stream.send(Message::text(frame));
        tokio::select! {
            sent = sending => sent.map_err(|error| SocketError::Broken(error.to_string())),
            () = self.environment.sleep(SOCKET_TIME) => Err(SocketError::Silent),
        }
    }

    /// Sends JSON with signed header lines before it, as telemetry wants it.
    pub(crate) async fn send_signed(&mut self, json: &str) -> Result<(), SocketError> {
        let request = signed(&self.uri, &self.host, json.as_bytes(), &self.signer, "ecs", &self.environment)?;
        let headers: Vec<(String, String)> = request
            .headers()
            .iter()
            .map(|(name, value)| {
                let name = match name.as_str() {
                    "authorization" => "Authorization",
                    "host" => "Host",
                    "x-amz-date" => "X-Amz-Date",
                    other => other,
                };
                (name.to_owned(), value.to_str().unwrap_or_default().to_owned())
            })
            .collect();
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        self.send(agent_wire::framing::frame(&headers, json)).await
    }

    /// Says goodbye; what the other side makes of it does not matter.
    pub(crate) async fn close(mut self) {
        tokio::select! {
            _ = self.stream.close(None) => {}
            () = self.environment.sleep(Duration::from_secs(1)) => {}
        }
    }
}

/// Connects to a plain HTTP address, with a request that is signed for a service.
pub(crate) async fn dial(
    address: &str,
    signer: &Signer,
    service: &str,
    environment: &Environment,
) -> Result<WebSocketStream<TcpStream>, SocketError> {
    let wrong = || SocketError::Address(address.to_owned());
    let uri: Uri = address.parse().map_err(|_| wrong())?;
    if uri.scheme_str() != Some("http") {
        return Err(wrong());
    }
    let host = uri.authority().ok_or_else(wrong)?.to_string();
    let mut request = signed(&uri, &host, b"", signer, service, environment)?;
    let headers = request.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    let key = HeaderValue::from_str(&generate_key()).map_err(|_| wrong())?;
    headers.insert(header::SEC_WEBSOCKET_KEY, key);
    *request.uri_mut() = format!("ws{}", &address["http".len()..]).parse().map_err(|_| wrong())?;
    let port = uri.port_u16().unwrap_or(80);
    let name = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let broken = |error: &dyn std::error::Error| SocketError::Broken(error.to_string());
    let tcp = TcpStream::connect((name, port)).await.map_err(|error| broken(&error))?;
    tcp.set_nodelay(true).map_err(|error| broken(&error))?;
    let mut config = WebSocketConfig::default();
    config.max_message_size = Some(MOST_FRAME_BYTES);
    config.max_frame_size = Some(MOST_FRAME_BYTES);
    match client_async_with_config(request, tcp, Some(config)).await {
        Ok((stream, _)) => Ok(stream),
        Err(WsError::Http(response)) => {
            let body = response.body().as_deref().unwrap_or_default();
            let refusal = std::str::from_utf8(body).ok().and_then(Refusal::decode);
            Err(refusal.map_or(SocketError::Status(response.status().as_u16()), SocketError::Refused))
        }
        Err(error) => Err(broken(&error)),
    }
}

fn signed(
    uri: &Uri,
    host: &str,
    body: &[u8],
    signer: &Signer,
    service: &str,
    environment: &Environment,
) -> Result<Request<()>, SocketError> {
    let wrong = || SocketError::Address(uri.to_string());
    let request = Request::builder().method(Method::GET).uri(uri).header(header::HOST, host);
    let (mut parts, ()) = request.body(()).map_err(|_| wrong())?.into_parts();
    sign(&mut parts, body, signer, service, environment.now()).map_err(|_| wrong())?;
    Ok(Request::from_parts(parts, ()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_escaped_and_sorted() {
        let text = address("http://h:1/_agent/acs", &[("b", "arn:a/b"), ("a", "x y")]);
        assert_eq!(text, "http://h:1/_agent/acs/ws?a=x%20y&b=arn%3Aa%2Fb");
        assert_eq!(address("http://h/", &[]), "http://h/ws?");
    }
}
