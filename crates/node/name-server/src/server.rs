//! What the process does at present, and how a configuration changes it.

use crate::serve::{self, Shared};
use daemon::{Kept, Service, SocketPlace};
use dns_zones::{Configuration, Report};
use environment::Environment;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The name server.
pub(crate) struct Server {
    pub(crate) shared: Arc<Shared>,
    wanted: BTreeSet<SocketPlace>,
    sockets: BTreeMap<SocketPlace, Listening>,
    /// Sockets of the process before this one, until their places are configured.
    inherited: BTreeMap<SocketPlace, OwnedFd>,
    /// What keeps it from listening.
    faults: BTreeMap<SocketPlace, String>,
}

/// A socket at work.
struct Listening {
    socket: OwnedFd,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) fn new(environment: &Environment, inherited: BTreeMap<SocketPlace, OwnedFd>) -> Self {
        Self {
            shared: Arc::new(Shared::new(environment.clone())),
            wanted: BTreeSet::new(),
            sockets: BTreeMap::new(),
            inherited,
            faults: BTreeMap::new(),
        }
    }

    /// Listens where it is to and does not yet.
    pub(crate) fn listen(&mut self) {
        let before = std::mem::take(&mut self.faults);
        for place in &self.wanted {
            if self.sockets.contains_key(place) {
                continue;
            }
            let socket = self.inherited.remove(place).map_or_else(|| place.open(), Ok);
            match socket.and_then(|socket| Listening::start(*place, socket, &self.shared)) {
                Ok(listening) => {
                    self.sockets.insert(*place, listening);
                }
                Err(error) => {
                    let kind = if place.datagrams { "UDP" } else { "TCP" };
                    let fault =
                        format!("cannot listen for name queries on {} ({kind}): {error}", place.address);
                    // It is said once, not each time that it is tried.
                    if before.get(place) != Some(&fault) {
                        tracing::warn!("{fault}");
                    }
                    self.faults.insert(*place, fault);
                }
            }
        }
    }

    /// Reads no query any more; what was read is answered.
    pub(crate) async fn stop(&mut self) {
        for listening in std::mem::take(&mut self.sockets).into_values() {
            listening.stop().await;
        }
    }
}

impl Service for Server {
    type Configuration = Configuration;
    type Report = Report;
    // Nobody who asks survives a loss of power, and whoever is there afterwards is told of before it starts.
    const KEPT: Kept = Kept::OverProcessEnd;

    async fn apply(&mut self, configuration: Configuration) {
        self.wanted = places(&configuration.listen);
        let gone: Vec<SocketPlace> =
            self.sockets.keys().filter(|own| !self.wanted.contains(own)).copied().collect();
        for place in gone {
            if let Some(listening) = self.sockets.remove(&place) {
                listening.stop().await;
            }
        }
        // Before anything is read.
        self.shared.tell(configuration);
        self.listen();
        self.inherited.clear();
    }

    fn report(&self) -> Report {
        Report { faults: self.faults.values().cloned().collect(), ..self.shared.report() }
    }

    fn sockets(&self) -> Vec<(SocketPlace, BorrowedFd<'_>)> {
        self.sockets.iter().map(|(place, listening)| (*place, listening.socket.as_fd())).collect()
    }

    fn hand_over(&mut self) {}
}

fn places(addresses: &[SocketAddr]) -> BTreeSet<SocketPlace> {
    let kinds =
        |address: &SocketAddr| [true, false].map(|datagrams| SocketPlace { address: *address, datagrams });
    addresses.iter().flat_map(kinds).collect()
}

impl Listening {
    fn start(place: SocketPlace, socket: OwnedFd, shared: &Arc<Shared>) -> io::Result<Self> {
        let stop = watch::Sender::new(false);
        let (copy, shared, stopped) = (socket.try_clone()?, shared.clone(), stop.subscribe());
        let task = if place.datagrams {
            let socket = UdpSocket::from_std(std::net::UdpSocket::from(copy))?;
            tokio::spawn(serve::datagrams(socket, shared, stopped))
        } else {
            let listener = TcpListener::from_std(std::net::TcpListener::from(copy))?;
            tokio::spawn(serve::connections(listener, shared, stopped))
        };
        Ok(Self { socket, stop, task })
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        // A task that panicked has ended, too.
        let _ = self.task.await;
    }
}

#[cfg(test)]
mod tests;
