//! Workers: threads that each carry their own connections from beginning to end, with nothing shared on the way of a request
//! but counters.

use crate::application::pool::Pool;
use crate::clock::Clock;
use crate::counters;
use crate::live::ListenerState;
use crate::{application, network};
use environment::Environment;
use hyper::rt::Executor;
use load_balancing::Protocol;
use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{LocalSet, spawn_local};

/// Most workers.
const MOST_WORKERS: usize = 64;
/// Connections that wait for their worker; with more the one who accepts waits.
const WAITING: usize = 1024;
/// How often connections that nobody uses are looked at.
const TIDY: Duration = Duration::from_secs(1);

/// Something for a worker to do.
pub(crate) enum Job {
    /// A connection that a client has made, and its weight on the worker.
    Connection(Accepted, Burden),
    /// A socket for datagrams.
    Datagrams { socket: std::net::UdpSocket, listener: Arc<ListenerState>, local: SocketAddr },
}

/// A connection that a client has made.
pub(crate) struct Accepted {
    pub(crate) stream: std::net::TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
    pub(crate) listener: Arc<ListenerState>,
}

/// What a worker has at hand.
pub(crate) struct Worker {
    pub(crate) environment: Environment,
    pub(crate) clock: Clock,
    pub(crate) pool: Pool,
    /// Whether the process is about to end.
    pub(crate) draining: watch::Receiver<bool>,
    random: Cell<u64>,
    load: Arc<AtomicUsize>,
}

impl Worker {
    /// A number that nobody can tell from chance, for names of traces.
    pub(crate) fn random(&self) -> u64 {
        // xorshift64*: never 0, for it does not begin there.
        let mut x = self.random.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.random.set(x);
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Counts a connection or flow of this worker until what is returned is dropped.
    pub(crate) fn burden(&self) -> Burden {
        Burden::new(&self.load)
    }

    pub(crate) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }
}

/// A connection of a worker.
pub(crate) struct Burden(Arc<AtomicUsize>);

impl Burden {
    fn new(load: &Arc<AtomicUsize>) -> Self {
        load.fetch_add(1, Relaxed);
        Self(load.clone())
    }
}

impl Drop for Burden {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// All workers, for who hands them connections.
pub(crate) struct Workers {
    workers: Vec<(mpsc::Sender<Job>, Arc<AtomicUsize>)>,
    threads: Vec<JoinHandle<()>>,
    draining: watch::Sender<bool>,
}

impl Workers {
    /// Starts at most `most`, and no more than the machine runs threads at a time.
    pub(crate) fn start(environment: &Environment, clock: &Clock, most: usize) -> io::Result<Self> {
        let count = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS).min(most);
        let draining = watch::Sender::new(false);
        let mut all = Self { workers: Vec::new(), threads: Vec::new(), draining };
        for index in 0..count {
            let (sender, jobs) = mpsc::channel(WAITING);
            let load = Arc::new(AtomicUsize::new(0));
            let mut seed = [0; 8];
            environment.fill_random(&mut seed);
            let parts = Parts {
                environment: environment.clone(),
                clock: clock.clone(),
                draining: all.draining.subscribe(),
                seed: u64::from_le_bytes(seed) | 1,
                load: load.clone(),
            };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let thread = std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
                counters::count_as(index);
                LocalSet::new().block_on(&runtime, work(parts, jobs));
            })?;
            all.workers.push((sender, load));
            all.threads.push(thread);
        }
        Ok(all)
    }

    /// Connections and flows at present.
    pub(crate) fn load(&self) -> usize {
        self.workers.iter().map(|(_, load)| load.load(Relaxed)).sum()
    }

    /// Gives a connection to the worker with the fewest; waits when that one is far behind.
    pub(crate) async fn give(&self, accepted: Accepted) {
        if let Some((sender, load)) = self.least() {
            // It counts from now on: those that come at the same time are to go to others.
            let job = Job::Connection(accepted, Burden::new(load));
            // A worker ends only with the process.
            let _ = sender.send(job).await;
        }
    }

    /// Gives a socket for datagrams to the worker with the fewest connections.
    pub(crate) async fn give_datagrams(
        &self,
        socket: std::net::UdpSocket,
        listener: Arc<ListenerState>,
        local: SocketAddr,
    ) {
        if let Some((sender, _)) = self.least() {
            // As above.
            let _ = sender.send(Job::Datagrams { socket, listener, local }).await;
        }
    }

    fn least(&self) -> Option<&(mpsc::Sender<Job>, Arc<AtomicUsize>)> {
        self.workers.iter().min_by_key(|(_, load)| load.load(Relaxed))
    }

    /// Makes connections end with what they are at.
    pub(crate) fn drain(&self) {
        self.draining.send_replace(true);
    }
}

/// What a worker is made of, on its way into its thread.
struct Parts {
    environment: Environment,
    clock: Clock,
    draining: watch::Receiver<bool>,
    seed: u64,
    load: Arc<AtomicUsize>,
}

async fn work(parts: Parts, mut jobs: mpsc::Receiver<Job>) {
    let worker = Rc::new(Worker {
        environment: parts.environment,
        clock: parts.clock,
        pool: Pool::default(),
        draining: parts.draining,
        random: Cell::new(parts.seed),
        load: parts.load,
    });
    spawn_local({
        let worker = worker.clone();
        async move {
            let mut steps = tokio::time::interval(TIDY);
            loop {
                steps.tick().await;
                worker.pool.tidy();
            }
        }
    });
    while let Some(job) = jobs.recv().await {
        let worker = worker.clone();
        match job {
            Job::Connection(accepted, burden) => {
                spawn_local(async move {
                    let _burden = burden;
                    serve(worker, accepted).await;
                });
            }
            Job::Datagrams { socket, listener, local } => {
                spawn_local(network::udp::serve(worker, socket, listener, local));
            }
        }
    }
}

async fn serve(worker: Rc<Worker>, accepted: Accepted) {
    let Some(compiled) = accepted.listener.compiled() else { return };
    let counts = compiled.balancer.counts.clone();
    counts.here().new_connections.add(1);
    counts.here().active_connections.add(1);
    match compiled.listener.protocol {
        Protocol::Http | Protocol::Https => application::serve(worker, accepted, compiled).await,
        Protocol::Tcp | Protocol::Tls | Protocol::TcpUdp => {
            network::tcp::serve(&worker, accepted, &compiled).await;
        }
        Protocol::Udp => {}
    }
    counts.here().active_connections.subtract(1);
}

/// Runs what hyper wants to have run on the worker that asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnThisWorker;

impl<F: Future + 'static> Executor<F> for OnThisWorker {
    fn execute(&self, future: F) {
        spawn_local(async move {
            future.await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_that_come_at_once_are_spread_before_a_worker_has_seen_one() {
        let (senders, mut jobs): (Vec<_>, Vec<_>) = (0..2).map(|_| mpsc::channel(WAITING)).unzip();
        let workers = Workers {
            workers: senders.into_iter().map(|sender| (sender, Arc::default())).collect(),
            threads: Vec::new(),
            draining: watch::Sender::new(false),
        };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
        let local = listener.local_addr().expect("has one");
        let state = Arc::new(ListenerState::new());
        for _ in 0..6 {
            let stream = std::net::TcpStream::connect(local).expect("connects");
            workers.give(Accepted { stream, peer: local, local, listener: state.clone() }).await;
        }
        assert_eq!(jobs.iter().map(mpsc::Receiver::len).collect::<Vec<_>>(), [3, 3]);
        assert_eq!(workers.load(), 6);
        // One whose connections end gets the next ones.
        while jobs[1].try_recv().is_ok() {}
        let stream = std::net::TcpStream::connect(local).expect("connects");
        workers.give(Accepted { stream, peer: local, local, listener: state }).await;
        assert_eq!(jobs.iter().map(mpsc::Receiver::len).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(workers.load(), 4);
    }
}
