//! Queries at the sockets: answered from what was told, or passed on.

use crate::limits::Limits;
use crate::message::{Question, answers, failure, question, zone_answer};
use crate::resolvers::Resolvers;
use dns_zones::{Answers, Configuration, Report, ZoneAnswer};
use environment::Environment;
use parking_lot::Mutex;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, watch};

/// Connections at a time; more wait to be accepted.
const MOST_CONNECTIONS: usize = 64;
/// Queries over one connection.
const MOST_PER_CONNECTION: usize = 256;
/// Longest wait for one resolver.
const RESOLVER: Duration = Duration::from_secs(2);
/// Longest silence of a connected client.
const IDLE: Duration = Duration::from_secs(10);
/// Pause after the system refused a connection.
const PAUSE: Duration = Duration::from_millis(50);
/// Bytes of an answer over a connection.
const CONNECTED: usize = u16::MAX as usize;
/// The largest datagram that resolvers send.
const DATAGRAM: usize = 4096;

/// What all who ask have in common.
pub(crate) struct Shared {
    environment: Environment,
    told: Mutex<Arc<Told>>,
    limits: Limits,
    connections: Arc<Semaphore>,
    counts: Mutex<Report>,
}

/// A configuration as it is at work.
struct Told {
    /// Whose tasks may ask, beside the machine: an open resolver would be lent to anyone who finds a route to it.
    range: Option<(Ipv4Addr, Ipv4Addr)>,
    answers: Answers,
    resolvers: Resolvers,
}

impl Shared {
    pub(crate) fn new(environment: Environment) -> Self {
        let told =
            Told { range: None, answers: Answers::default(), resolvers: Resolvers::new(vec![], vec![]) };
        Self {
            environment,
            told: Mutex::new(Arc::new(told)),
            limits: Limits::default(),
            connections: Arc::new(Semaphore::new(MOST_CONNECTIONS)),
            counts: Mutex::default(),
        }
    }

    /// Answers from now on what a configuration says.
    pub(crate) fn tell(&self, configuration: Configuration) {
        let own = configuration.listen.iter().map(SocketAddr::ip).collect();
        let told = Told {
            range: configuration.range.map(|range| (range.network(), range.broadcast())),
            answers: Answers::new(configuration.names, configuration.zones),
            resolvers: Resolvers::new(configuration.resolvers, own),
        };
        *self.told.lock() = Arc::new(told);
    }

    /// What has been counted.
    pub(crate) fn report(&self) -> Report {
        self.counts.lock().clone()
    }

    /// Whether nothing is in progress.
    pub(crate) fn is_idle(&self) -> bool {
        self.limits.under_way() == 0 && self.connections.available_permits() == MOST_CONNECTIONS
    }

    fn told(&self) -> Arc<Told> {
        self.told.lock().clone()
    }

    /// What our zones say, if the name is in one of them.
    fn own(&self, told: &Told, asker: Ipv4Addr, asked: &Question) -> Option<ZoneAnswer> {
        let mut random = [0; 8];
        self.environment.fill_random(&mut random);
        let random = u64::from_ne_bytes(random);
        let own =
            told.answers.answer(asker, &asked.name, asked.kind, random).filter(|_| asked.is_for_zones());
        if own.is_some() {
            self.counts.lock().answered += 1;
        }
        own
    }

    /// The place of a query among those that are passed on, if there is one.
    fn pass(&self, asker: Ipv4Addr) -> Option<crate::limits::Permit> {
        let permit = self.limits.pass(asker, self.environment.elapsed());
        let mut counts = self.counts.lock();
        match permit {
            Some(_) => counts.forwarded += 1,
            None => counts.refused += 1,
        }
        permit
    }

    async fn within<T>(&self, limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        tokio::select! {
            done = work => done,
            () = self.environment.sleep(limit) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// The first answer that a resolver gives to a datagram.
    async fn forward(&self, told: &Told, query: &[u8]) -> Option<Vec<u8>> {
        for resolver in told.resolvers.current() {
            match self.within(RESOLVER, ask(resolver, query)).await {
                Ok(answer) => return Some(answer),
                Err(error) => tracing::debug!(%resolver, %error, "a resolver did not answer"),
            }
        }
        None
    }

    /// The same over a connection, for answers too long for a datagram.
    async fn forward_connected(&self, told: &Told, query: &[u8]) -> Option<Vec<u8>> {
        for resolver in told.resolvers.current() {
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
}

impl Told {
    /// The address of who asks, if it may.
    fn asker(&self, from: SocketAddr) -> Option<Ipv4Addr> {
        let IpAddr::V4(address) = from.ip() else { return None };
        let in_range = self.range.is_some_and(|(first, last)| (first..=last).contains(&address));
        (in_range || self.answers.has_client(address) || is_own(address)).then_some(address)
    }
}

/// Whether it is this machine that asks: what it sends to the bridge may leave under any of its addresses, and only those
/// can be bound.
fn is_own(address: Ipv4Addr) -> bool {
    std::net::UdpSocket::bind((address, 0)).is_ok()
}

/// Answers datagrams until it is told to stop; what it has read then is still answered.
pub(crate) async fn datagrams(socket: UdpSocket, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let socket = Arc::new(socket);
    let mut buffer = [0; DATAGRAM];
    loop {
        let received = tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            received = socket.recv_from(&mut buffer) => received,
        };
        // Errors here are those of earlier answers, whose askers are gone.
        let Ok((length, from)) = received else { continue };
        datagram(&socket, &shared, &buffer[..length], from).await;
    }
}

async fn datagram(socket: &Arc<UdpSocket>, shared: &Arc<Shared>, query: &[u8], from: SocketAddr) {
    let told = shared.told();
    let Some(asker) = told.asker(from) else { return };
    let Some(asked) = question(query) else { return };
    let own = shared.own(&told, asker, &asked);
    let permit = if own.is_none() { shared.pass(asker) } else { None };
    let Some(permit) = permit else {
        let answer = own
            .map_or_else(|| failure(query, &asked), |own| zone_answer(query, &asked, &own, asked.datagram()));
        // An asker that is gone misses nothing.
        let _ = socket.send_to(&answer, from).await;
        return;
    };
    let (socket, shared, query) = (socket.clone(), shared.clone(), query.to_vec());
    // It ends by itself, for each resolver has its time.
    tokio::spawn(async move {
        let answer = shared.forward(&told, &query).await.unwrap_or_else(|| failure(&query, &asked));
        let _ = socket.send_to(&answer, from).await;
        drop(permit);
    });
}

/// Answers over connections until it is told to stop; those that are open then have their time.
pub(crate) async fn connections(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        // Nothing is accepted that is not served: it stops only while it waits.
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            accepted = accept(&listener, &shared) => accepted,
        };
        let Ok((stream, from, permit)) = accepted else {
            // Out of descriptors, most likely; a moment later there are some again.
            shared.environment.sleep(PAUSE).await;
            continue;
        };
        let Some(asker) = shared.told().asker(from) else { continue };
        let shared = shared.clone();
        tokio::spawn(async move {
            // A client that breaks off or sends nonsense has its connection closed, that is all.
            let _ = connection(stream, asker, &shared).await;
            drop(permit);
        });
    }
}

async fn accept(
    listener: &TcpListener,
    shared: &Shared,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let permit = shared.connections.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, from) = listener.accept().await?;
    Ok((stream, from, permit))
}

async fn connection(mut stream: TcpStream, asker: Ipv4Addr, shared: &Shared) -> io::Result<()> {
    for _ in 0..MOST_PER_CONNECTION {
        let query = shared.within(IDLE, read_message(&mut stream)).await?;
        let Some(asked) = question(&query) else { return Ok(()) };
        let told = shared.told();
        let answer = match shared.own(&told, asker, &asked) {
            Some(own) => Some(zone_answer(&query, &asked, &own, CONNECTED)),
            None => match shared.pass(asker) {
                Some(_permit) => shared.forward_connected(&told, &query).await,
                None => None,
            },
        };
        let answer = answer.unwrap_or_else(|| failure(&query, &asked));
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

#[cfg(test)]
mod tests {
    use super::*;
    use dns_zones::{View, Zones};

    #[test]
    fn the_machine_its_range_and_its_clients_may_ask() {
        let shared = Shared::new(Environment::real());
        let client = Ipv4Addr::new(192, 0, 2, 9);
        shared.tell(Configuration {
            range: Some("198.51.100.0/24".parse().expect("a range")),
            zones: Zones { zones: vec![], views: vec![View { zones: vec![], clients: vec![client] }] },
            ..Configuration::default()
        });
        let may = |address: &str| shared.told().asker((address.parse::<IpAddr>().expect("one"), 9).into());
        assert_eq!(may("192.0.2.9"), Some(client));
        assert!(may("198.51.100.7").is_some() && may("127.0.0.9").is_some());
        assert!(may("192.0.2.8").is_none() && may("198.51.101.7").is_none() && may("::1").is_none());
    }
}
