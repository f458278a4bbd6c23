//! The name server on the bridge address: answers for the zones it is given, forwards the rest to the host's resolvers.

mod message;
mod resolvers;
pub mod zone;

use crate::error::NetworkError;
use crate::subnet::Subnet;
use environment::Environment;
use message::{Question, answers, failure, question, zone_answer};
use resolvers::Resolvers;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use zone::{ZoneAnswer, ZoneSource, Zones};

/// Queries being forwarded at a time; more are answered with a failure, for clients to ask again.
const MAX_QUERIES: usize = 512;
/// Connections at a time; more wait to be accepted.
const MAX_CONNECTIONS: usize = 64;
/// Queries over one connection.
const MAX_PER_CONNECTION: usize = 256;
/// Longest wait for one resolver.
const RESOLVER: Duration = Duration::from_secs(2);
/// Longest silence of a connected client.
const IDLE: Duration = Duration::from_secs(10);
/// Bytes of an answer over a connection.
const CONNECTED: usize = u16::MAX as usize;
/// The largest datagram that resolvers send.
const DATAGRAM: usize = 4096;

/// The running name server; ends when dropped.
pub(crate) struct NameServer {
    tasks: Vec<JoinHandle<()>>,
}

struct Shared {
    /// Whose tasks may ask, beside the machine: an open resolver would be lent to anyone who finds a route to it.
    subnet: Subnet,
    zones: Zones,
    resolvers: Resolvers,
    environment: Environment,
    queries: Arc<Semaphore>,
}

impl NameServer {
    /// Starts serving on port 53 of `address`.
    pub(crate) async fn start(
        subnet: Subnet,
        zones: Zones,
        resolvers: Vec<SocketAddr>,
    ) -> Result<Self, NetworkError> {
        let address = SocketAddr::from((subnet.gateway(), 53));
        let failed = |source| NetworkError::Dns { address, source };
        let udp = UdpSocket::bind(address).await.map_err(failed)?;
        let tcp = TcpListener::bind(address).await.map_err(failed)?;
        let shared = Arc::new(Shared {
            subnet,
            zones,
            resolvers: Resolvers::new(resolvers, address.ip()),
            environment: Environment::real(),
            queries: Arc::new(Semaphore::new(MAX_QUERIES)),
        });
        let datagrams = tokio::spawn(serve_datagrams(Arc::new(udp), shared.clone()));
        let connections = tokio::spawn(serve_connections(tcp, shared));
        Ok(Self { tasks: vec![datagrams, connections] })
    }

    /// Stops, and waits until the port is free.
    pub(crate) async fn stop(mut self) {
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            // It was cancelled, which is what was wanted.
            let _ = task.await;
        }
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn serve_datagrams(socket: Arc<UdpSocket>, shared: Arc<Shared>) {
    let mut buffer = [0; DATAGRAM];
    // Dropped with this function, and the queries under way with it.
    let mut queries = tokio::task::JoinSet::new();
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut buffer) => received,
            Some(_) = queries.join_next() => continue,
        };
        // Errors here are those of earlier answers, whose askers are gone.
        let Ok((length, asker)) = received else { continue };
        if !shared.serves(asker) {
            continue;
        }
        let query = &buffer[..length];
        let Some(asked) = question(query) else { continue };
        let own = shared.own(asker, &asked).map(|own| zone_answer(query, &asked, &own, asked.datagram()));
        let Ok(permit) = shared.queries.clone().try_acquire_owned() else {
            let _ = socket.try_send_to(&failure(query, &asked), asker);
            continue;
        };
        let (socket, shared, query) = (socket.clone(), shared.clone(), query.to_vec());
        queries.spawn(async move {
            let answer = match own {
                Some(answer) => answer,
                None => shared.forward(&query).await.unwrap_or_else(|| failure(&query, &asked)),
            };
            // An asker that is gone misses nothing.
            let _ = socket.send_to(&answer, asker).await;
            drop(permit);
        });
    }
}

async fn serve_connections(listener: TcpListener, shared: Arc<Shared>) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, asker)) = stream else {
            // Out of descriptors, most likely; a moment later there are some again.
            shared.environment.sleep(Duration::from_millis(50)).await;
            continue;
        };
        if !shared.serves(asker) {
            continue;
        }
        let shared = shared.clone();
        connections.spawn(async move {
            // A client that breaks off or sends nonsense has its connection closed, that is all.
            let _ = serve_connection(stream, asker, &shared).await;
            drop(permit);
        });
    }
}

async fn serve_connection(mut stream: TcpStream, asker: SocketAddr, shared: &Shared) -> io::Result<()> {
    for _ in 0..MAX_PER_CONNECTION {
        let query = shared.within(IDLE, read_message(&mut stream)).await?;
        let Some(asked) = question(&query) else { return Ok(()) };
        let answer = match shared.own(asker, &asked) {
            Some(own) => zone_answer(&query, &asked, &own, CONNECTED),
            None => shared.forward_connected(&query).await.unwrap_or_else(|| failure(&query, &asked)),
        };
        shared.within(IDLE, write_message(&mut stream, &answer)).await?;
    }
    Ok(())
}

async fn read_message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

async fn write_message(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    stream.write_all(&[&length.to_be_bytes()[..], message].concat()).await
}

impl Shared {
    fn serves(&self, asker: SocketAddr) -> bool {
        matches!(asker.ip(), IpAddr::V4(address) if self.subnet.contains(address) || is_own(address))
    }

    /// What our zones say, if the name is in one of them.
    fn own(&self, asker: SocketAddr, asked: &Question) -> Option<ZoneAnswer> {
        let IpAddr::V4(asker) = asker.ip() else { return None };
        self.zones.answer(asker, &asked.name, asked.kind).filter(|_| asked.is_for_zones())
    }

    /// The first answer that a resolver gives to a datagram.
    async fn forward(&self, query: &[u8]) -> Option<Vec<u8>> {
        for resolver in self.resolvers.current() {
            match self.within(RESOLVER, ask(resolver, query)).await {
                Ok(answer) => return Some(answer),
                Err(error) => tracing::debug!(%resolver, %error, "a resolver did not answer"),
            }
        }
        None
    }

    /// The same over a connection, for answers too long for a datagram.
    async fn forward_connected(&self, query: &[u8]) -> Option<Vec<u8>> {
        for resolver in self.resolvers.current() {
            let asked = async {
                let mut stream = TcpStream::connect(resolver).await?;
                write_message(&mut stream, query).await?;
                read_message(&mut stream).await
            };
            match self.within(RESOLVER, asked).await {
                Ok(answer) if answers(&answer, query) => return Some(answer),
                Ok(_) => tracing::debug!(%resolver, "a resolver answered another question"),
                Err(error) => tracing::debug!(%resolver, %error, "a resolver did not answer"),
            }
        }
        None
    }

    async fn within<T>(&self, limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        tokio::select! {
            done = work => done,
            () = self.environment.sleep(limit) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// Whether it is this machine that asks: what it sends to the bridge may leave under any of its addresses, and only those
/// can be bound.
fn is_own(address: Ipv4Addr) -> bool {
    std::net::UdpSocket::bind((address, 0)).is_ok()
}

async fn ask(resolver: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let any: SocketAddr = match resolver {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    // A socket of its own for each query: the port is what a forger has to guess.
    let socket = UdpSocket::bind(any).await?;
    socket.connect(resolver).await?;
    socket.send(query).await?;
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if answers(&buffer[..length], query) {
            buffer.truncate(length);
            return Ok(buffer);
        }
    }
}
