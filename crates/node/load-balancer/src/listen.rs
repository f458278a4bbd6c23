//! Sockets that clients come to.

use crate::live::ListenerState;
use crate::worker::{Accepted, Workers};
use daemon::SocketPlace;
use rustix::net::{SocketAddrAny, SocketFlags, acceptfrom_with, sockopt};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Pause after the system refused a connection, for want of file descriptors above all.
const PAUSE: Duration = Duration::from_millis(50);
/// Descriptors that are no connections.
const OTHER_DESCRIPTORS: u64 = 512;
/// Descriptors of one client's connection: its own, the one to the target, and the one that can cut that.
const DESCRIPTORS: u64 = 3;

const NEW_CONNECTION: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// Raises the number of descriptors that this process may have, and says how many connections of clients that makes.
pub(crate) fn most_connections() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Without the right to it, the present limit stays.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(1 << 20).min(1 << 20);
    usize::try_from(descriptors.saturating_sub(OTHER_DESCRIPTORS) / DESCRIPTORS).unwrap_or(usize::MAX).max(64)
}

/// A socket at work.
pub(crate) struct Listening {
    pub(crate) socket: OwnedFd,
    pub(crate) state: Arc<ListenerState>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Listening {
    /// Puts a socket to work.
    pub(crate) fn start(
        place: SocketPlace,
        socket: OwnedFd,
        state: &Arc<ListenerState>,
        workers: &Arc<Workers>,
        most: usize,
    ) -> io::Result<Self> {
        let stop = watch::Sender::new(false);
        let copy = socket.try_clone()?;
        let (state_of_task, workers, stopped) = (state.clone(), workers.clone(), stop.subscribe());
        let task = if place.datagrams {
            let socket = std::net::UdpSocket::from(copy);
            tokio::spawn(async move {
                workers.give_datagrams(socket, state_of_task, place.address).await;
            })
        } else {
            // What is accepted from it has it, too.
            sockopt::set_tcp_nodelay(&copy, true)?;
            #[expect(
                deprecated,
                reason = "what replaced it is unsafe for descriptors that are not owned; this one is"
            )]
            let listener = AsyncFd::with_interest(copy, Interest::READABLE)?;
            tokio::spawn(accept(listener, place, state_of_task, workers, most, stopped))
        };
        Ok(Self { socket, state: state.clone(), stop, task })
    }

    /// Takes it from work; what was accepted is carried to its end. The socket stays open as long as this is not dropped.
    pub(crate) async fn stop(&mut self) {
        self.stop.send_replace(true);
        // A task that panicked has ended, too.
        let _ = (&mut self.task).await;
    }
}

/// Hands on the connections that clients make. They are accepted without being watched here: who carries one watches it.
async fn accept(
    listener: AsyncFd<OwnedFd>,
    place: SocketPlace,
    state: Arc<ListenerState>,
    workers: Arc<Workers>,
    most: usize,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        // Nothing is accepted that is not handed on: it stops only while it waits.
        let ready = tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            ready = listener.readable() => ready,
        };
        let Ok(mut ready) = ready else { return };
        let accepted = match ready.try_io(|listener| Ok(acceptfrom_with(listener, NEW_CONNECTION)?)) {
            Ok(accepted) => accepted,
            Err(_nobody_waits) => continue,
        };
        match accepted.and_then(|(stream, peer)| Ok((stream, peer_address(peer)?))) {
            Ok((stream, peer)) if workers.load() < most => {
                let accepted =
                    Accepted { stream: stream.into(), peer, local: place.address, listener: state.clone() };
                workers.give(accepted).await;
            }
            Ok(_) => {
                if let Some(compiled) = state.compiled() {
                    compiled.balancer.counts.here().rejected_connections.add(1);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, address = %place.address, "cannot take a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn peer_address(peer: Option<SocketAddrAny>) -> io::Result<SocketAddr> {
    let peer = peer.ok_or(io::ErrorKind::ConnectionAborted)?;
    peer.try_into().map_err(io::Error::from)
}
