//! Connections to targets.

use crate::application::io::TargetStream;
use crate::target::Target;
use crate::tls;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Longest time that a connection to a target may take to be made, TLS included.
pub(crate) const CONNECT_TIME: Duration = Duration::from_secs(10);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("no connection")]
    Failed(#[source] io::Error),
    #[error("no connection in time")]
    Timeout,
}

/// How a target is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrapping {
    Plain,
    /// TLS without ALPN.
    Tls,
    /// TLS with `http/1.1`.
    Http1Tls,
    /// TLS with `h2`.
    Http2Tls,
}

impl Wrapping {
    fn config(self) -> Option<Arc<ClientConfig>> {
        static CONFIGS: LazyLock<[Option<Arc<ClientConfig>>; 3]> = LazyLock::new(|| {
            [&[] as &[&[u8]], &[b"http/1.1"], &[b"h2"]].map(|alpn| tls::client_config(alpn).ok())
        });
        match self {
            Self::Plain => None,
            Self::Tls => CONFIGS[0].clone(),
            Self::Http1Tls => CONFIGS[1].clone(),
            Self::Http2Tls => CONFIGS[2].clone(),
        }
    }
}

/// Connects to a target for a request, so that the connection can be cut.
pub(crate) async fn connect(target: &Arc<Target>, wrapping: Wrapping) -> Result<TargetStream, ConnectError> {
    match timeout(target.connect_time, dial(target.address, target.source, wrapping, Some(target))).await {
        Ok(result) => result.map_err(ConnectError::Failed),
        Err(_) => Err(ConnectError::Timeout),
    }
}

/// A connection that comes from an address of this machine.
async fn from(source: Option<IpAddr>, address: SocketAddr) -> io::Result<TcpStream> {
    let Some(source) = source.filter(|source| source.is_ipv4() == address.is_ipv4()) else {
        return TcpStream::connect(address).await;
    };
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(SocketAddr::new(source, 0))?;
    socket.connect(address).await
}

/// Connects to an address, without a limit of time.
pub(crate) async fn dial(
    address: SocketAddr,
    source: Option<IpAddr>,
    wrapping: Wrapping,
    target: Option<&Arc<Target>>,
) -> io::Result<TargetStream> {
    let stream = from(source, address).await?;
    stream.set_nodelay(true)?;
    let remembered = match target {
        Some(target) => Some(target.remember(stream.as_fd().try_clone_to_owned()?)),
        None => None,
    };
    let Some(config) = wrapping.config() else {
        return Ok(TargetStream::plain(stream, remembered));
    };
    let name = ServerName::from(address.ip());
    let stream = TlsConnector::from(config).connect(name, stream).await?;
    Ok(TargetStream::tls(stream, remembered))
}
