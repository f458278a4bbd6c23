//! UDP of network load balancers: datagrams of one client are one flow to one target, until it has been quiet for a while.

use crate::counters::{BalancerCounts, Sharded};
use crate::live::{ListenerState, Step};
use crate::target::{Outstanding, Remembered, Target};
use crate::worker::{Burden, Worker};
use load_balancing::flow_hash;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::task::spawn_local;
use tokio::time::timeout;

/// The number of UDP among protocols of IP.
const UDP: u8 = 17;
/// How long a flow may be quiet, as AWS has it.
const IDLE: Duration = Duration::from_secs(120);
/// Most flows of a listener; datagrams of more clients are dropped.
const MOST_FLOWS: usize = 16 * 1024;
/// The longest datagram.
const LONGEST: usize = 64 * 1024;
/// How often a flow without an answer looks at whether it is over.
const LOOK: Duration = Duration::from_secs(1);

/// One flow.
struct Flow {
    socket: UdpSocket,
    target: Arc<Target>,
    /// When a datagram last came from either side, in milliseconds of the clock.
    last: Cell<u64>,
    counts: Arc<Sharded<BalancerCounts>>,
    _outstanding: Outstanding,
    _remembered: Remembered,
    _burden: Burden,
}

type Flows = Rc<RefCell<HashMap<SocketAddr, Rc<Flow>>>>;

/// Serves a socket until its listener goes or the process is about to end. Flows go on until they are quiet.
pub(crate) async fn serve(
    worker: Rc<Worker>,
    socket: std::net::UdpSocket,
    listener: Arc<ListenerState>,
    local: SocketAddr,
) {
    let socket = match UdpSocket::from_std(socket) {
        Ok(socket) => Rc::new(socket),
        Err(error) => {
            tracing::warn!(%error, "cannot serve datagrams");
            return;
        }
    };
    let flows = Flows::default();
    let mut buffer = vec![0; LONGEST];
    let answered = Rc::new(RefCell::new(vec![0; LONGEST]));
    let (mut draining, mut gone) = (worker.draining.clone(), listener.watch());
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut buffer) => received,
            _ = draining.wait_for(|draining| *draining) => return,
            _ = gone.wait_for(|gone| *gone) => return,
        };
        // An error is about a datagram sent before.
        let Ok((length, peer)) = received else { continue };
        let (known, count) = {
            let flows = flows.borrow();
            (flows.get(&peer).cloned(), flows.len())
        };
        let flow = match known {
            Some(flow) => flow,
            None => match open(&worker, &listener, peer, local, count).await {
                Some(flow) => {
                    let flow = Rc::new(flow);
                    flows.borrow_mut().insert(peer, flow.clone());
                    spawn_local(answers(
                        worker.clone(),
                        flow.clone(),
                        socket.clone(),
                        peer,
                        flows.clone(),
                        answered.clone(),
                    ));
                    flow
                }
                None => continue,
            },
        };
        flow.last.set(worker.clock.millis());
        flow.counts.here().processed_bytes.add(length as u64);
        // Datagrams may be lost.
        let _ = flow.socket.send(&buffer[..length]).await;
    }
}

async fn open(
    worker: &Rc<Worker>,
    listener: &ListenerState,
    peer: SocketAddr,
    local: SocketAddr,
    flows: usize,
) -> Option<Flow> {
    let compiled = listener.compiled()?;
    let counts = compiled.balancer.counts.clone();
    if flows >= MOST_FLOWS {
        counts.here().rejected_connections.add(1);
        return None;
    }
    let Step::Forward(forwarding) = &compiled.default else { return None };
    let group = &forwarding.choose()?.group;
    let view = group.view();
    let flow = flow_hash(UDP, peer, local, view.by_source_alone());
    let target = view.choose_for_flow(flow, &[])?;
    let outstanding = target.begin();
    let socket = connected(target.source, target.address)
        .await
        .inspect_err(|_| group.counts.here().connection_errors.add(1));
    let socket = socket.ok()?;
    let remembered = target.remember(socket.as_fd().try_clone_to_owned().ok()?);
    group.counts.here().requests.add(1);
    counts.here().new_connections.add(1);
    counts.here().active_connections.add(1);
    Some(Flow {
        socket,
        target,
        last: Cell::new(worker.clock.millis()),
        counts,
        _outstanding: outstanding,
        _remembered: remembered,
        _burden: worker.burden(),
    })
}

async fn connected(source: Option<IpAddr>, address: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let own = source.filter(|source| source.is_ipv4() == address.is_ipv4());
    let socket = UdpSocket::bind(own.map_or(any, |own| SocketAddr::new(own, 0))).await?;
    socket.connect(address).await?;
    Ok(socket)
}

/// Carries what the target answers, until the flow is over. All flows of a listener read into one buffer: nothing waits while
/// it is in use.
async fn answers(
    worker: Rc<Worker>,
    flow: Rc<Flow>,
    socket: Rc<UdpSocket>,
    peer: SocketAddr,
    flows: Flows,
    buffer: Rc<RefCell<Vec<u8>>>,
) {
    loop {
        match timeout(LOOK, flow.socket.readable()).await {
            Ok(Ok(())) => {
                let mut buffer = buffer.borrow_mut();
                match flow.socket.try_recv(&mut buffer) {
                    // A socket that was cut reads nothing for ever.
                    Ok(0) if flow.target.is_retired() => break,
                    Ok(length) => {
                        flow.last.set(worker.clock.millis());
                        flow.counts.here().processed_bytes.add(length as u64);
                        // Datagrams may be lost.
                        let _ = socket.try_send_to(&buffer[..length], peer);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    // Nobody listens there: the next datagram looks for a target anew.
                    Err(_) => break,
                }
            }
            Ok(Err(_)) => break,
            Err(_) => {
                let quiet = worker.clock.millis().saturating_sub(flow.last.get());
                if u128::from(quiet) >= IDLE.as_millis() {
                    break;
                }
            }
        }
    }
    flows.borrow_mut().remove(&peer);
    flow.counts.here().active_connections.subtract(1);
}
