//! An engine that runs nothing: it remembers what it was asked for and does what tests tell it.

use super::stats::{NetworkStats, Stats};
use super::{
    AttachPlan, Attached, ContainerPlan, DiskRoom, Engine, EngineError, Exit, Found, LogPosition, LogRead,
    LogRecord, LogSource, Probe, ProbeEnd, PulledImage, SandboxEvent, SandboxPlan, Usage,
};
use container_image::BasicAuth;
use container_network::faults::{Fault, FaultName};
use environment::Environment;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};

/// What goes wrong on purpose.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SimulatedFault {
    /// Pulling this image fails.
    Pull(String),
    /// Starting containers of this name fails.
    Start(String),
    /// Containers of this name do not react to SIGTERM.
    IgnoresTerm(String),
    /// Health checks of containers of this name fail.
    Unhealthy(String),
    /// Making sandboxes fails.
    Sandbox,
    /// Opening endpoints fails.
    Endpoint,
    /// Its kernel cannot delay packets.
    Delay,
}

/// A simulated machine; cheap to clone. It outlives the agents that use it, as a real machine does.
#[derive(Clone)]
pub struct SimulatedEngine {
    environment: Environment,
    state: Arc<Mutex<State>>,
    /// Counts changes, for those who wait for one.
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    faults: HashSet<SimulatedFault>,
    sandboxes: BTreeMap<String, SimulatedSandbox>,
    holders: BTreeSet<String>,
    /// Every sandbox that was ever made, to show that none was made twice.
    made: Vec<String>,
    /// Images that were pulled, and as whom.
    pulls: Vec<(String, Option<BasicAuth>)>,
    room: DiskRoom,
    /// Bytes by sandbox.
    written: BTreeMap<String, u64>,
    /// Sockets of containers, by sandbox, container and path, and where they really are.
    sockets: BTreeMap<String, PathBuf>,
    /// Faults in networks, by sandbox.
    network_faults: BTreeMap<String, Vec<Fault>>,
}

struct SimulatedSandbox {
    events: mpsc::Sender<SandboxEvent>,
    /// Where its endpoint was opened last.
    endpoint: Option<SocketAddr>,
    containers: BTreeMap<String, SimulatedContainer>,
}

struct SimulatedContainer {
    env: Vec<String>,
    output: Vec<LogRecord>,
    exit: Option<Exit>,
}

impl SimulatedEngine {
    /// An empty machine.
    pub fn new(environment: Environment) -> Self {
        Self { environment, state: Arc::default(), changed: watch::Sender::new(0) }
    }

    /// The faults that run in the network of a sandbox.
    pub fn network_faults(&self, sandbox: &str) -> Vec<Fault> {
        self.state.lock().network_faults.get(sandbox).cloned().unwrap_or_default()
    }

    /// Makes something go wrong from now on.
    pub fn fail(&self, fault: SimulatedFault) {
        self.state.lock().faults.insert(fault);
    }

    /// Makes it go right again.
    pub fn mend(&self, fault: &SimulatedFault) {
        self.state.lock().faults.remove(fault);
    }

    /// Lets a container print a line.
    pub fn print(&self, sandbox: &str, container: &str, line: &str) {
        let at = self.environment.now();
        self.change(|state| {
            let Some(found) = find(state, sandbox, container) else { return };
            let next = LogPosition((found.output.len() as u64 + 1).into());
            found.output.push(LogRecord {
                at,
                bytes: line.as_bytes().to_vec(),
                partial: false,
                stderr: false,
                next,
            });
        });
    }

    /// Lets a container end.
    pub fn exit(&self, sandbox: &str, container: &str, code: i32) {
        let exit = Exit { code: Some(code), out_of_memory: false, at: self.environment.now() };
        self.change(|state| {
            let Some(found) = find(state, sandbox, container).filter(|found| found.exit.is_none()) else {
                return;
            };
            found.exit = Some(exit.clone());
            let events = state.sandboxes[sandbox].events.clone();
            // Nobody listens while the agent is down; it asks when it is back.
            let _ = events.try_send(SandboxEvent::Exited { container: container.to_owned(), exit });
        });
    }

    /// Ids of the sandboxes that are there.
    pub fn sandboxes(&self) -> Vec<String> {
        self.state.lock().sandboxes.keys().cloned().collect()
    }

    /// Ids of all sandboxes that were ever made.
    pub fn made(&self) -> Vec<String> {
        self.state.lock().made.clone()
    }

    /// Where the endpoint of a sandbox was opened last; on a simulated machine anybody reaches it.
    pub fn endpoint_of(&self, sandbox: &str) -> Option<SocketAddr> {
        self.state.lock().sandboxes.get(sandbox)?.endpoint
    }

    /// The value of a variable of a container.
    pub fn variable(&self, sandbox: &str, container: &str, name: &str) -> Option<String> {
        let mut state = self.state.lock();
        let env = &find(&mut state, sandbox, container)?.env;
        env.iter().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
    }

    /// Images that were pulled, with the user and password that were used.
    pub fn pulls(&self) -> Vec<(String, Option<BasicAuth>)> {
        self.state.lock().pulls.clone()
    }

    /// Puts a socket of the test into a container.
    pub fn put_socket(&self, sandbox: &str, container: &str, path: &str, place: PathBuf) {
        self.state.lock().sockets.insert(format!("{sandbox}/{container}{path}"), place);
    }

    /// How much room is left on the disk, of how much.
    pub fn set_room(&self, room: DiskRoom) {
        self.state.lock().room = room;
    }

    /// How much a sandbox has written.
    pub fn set_written(&self, sandbox: &str, bytes: u64) {
        self.state.lock().written.insert(sandbox.to_owned(), bytes);
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.lock());
        self.changed.send_modify(|count| *count += 1);
        result
    }

    fn fails(&self, fault: &SimulatedFault) -> bool {
        self.state.lock().faults.contains(fault)
    }
}

fn find<'a>(state: &'a mut State, sandbox: &str, container: &str) -> Option<&'a mut SimulatedContainer> {
    state.sandboxes.get_mut(sandbox)?.containers.get_mut(container)
}

#[async_trait::async_trait]
impl Engine for SimulatedEngine {
    async fn pull(
        &self,
        image: &str,
        auth: Option<BasicAuth>,
        holder: &str,
    ) -> Result<PulledImage, EngineError> {
        if self.fails(&SimulatedFault::Pull(image.to_owned())) {
            return Err(EngineError(format!("{image}: not found")));
        }
        {
            let mut state = self.state.lock();
            state.holders.insert(holder.to_owned());
            state.pulls.push((image.to_owned(), auth));
        }
        let config = container_image::ImageConfig { cmd: vec!["/run".to_owned()], ..Default::default() };
        Ok(PulledImage { digest: format!("sha256:{}", "0".repeat(64)), config })
    }

    async fn release(&self, holder: &str) {
        self.state.lock().holders.remove(holder);
    }

    async fn create_sandbox(
        &self,
        plan: &SandboxPlan,
        events: mpsc::Sender<SandboxEvent>,
    ) -> Result<(), EngineError> {
        if self.fails(&SimulatedFault::Sandbox) {
            return Err(EngineError("no sandbox today".to_owned()));
        }
        self.change(|state| {
            state.made.push(plan.id.clone());
            let sandbox = SimulatedSandbox { events, endpoint: None, containers: BTreeMap::new() };
            state.sandboxes.insert(plan.id.clone(), sandbox);
        });
        Ok(())
    }

    async fn adopt(&self, sandbox: &str, events: mpsc::Sender<SandboxEvent>) -> Result<bool, EngineError> {
        let mut state = self.state.lock();
        let Some(found) = state.sandboxes.get_mut(sandbox) else { return Ok(false) };
        found.events = events;
        Ok(true)
    }

    async fn endpoint(&self, sandbox: &str, _address: Ipv4Addr) -> Result<TcpListener, EngineError> {
        let failed = |error: std::io::Error| EngineError(error.to_string());
        if self.state.lock().faults.contains(&SimulatedFault::Endpoint) {
            return Err(EngineError("no address is left".to_owned()));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        self.change(|state| {
            if let Some(sandbox) = state.sandboxes.get_mut(sandbox) {
                sandbox.endpoint = Some(address);
            }
        });
        Ok(listener)
    }

    async fn start_fault(&self, sandbox: &str, fault: Fault) -> Result<(), EngineError> {
        let mut state = self.state.lock();
        if fault.name() == FaultName::Latency && state.faults.contains(&SimulatedFault::Delay) {
            return Err(EngineError("the kernel cannot delay packets".to_owned()));
        }
        let running = state.network_faults.entry(sandbox.to_owned()).or_default();
        if !running.iter().any(|own| own.name() == fault.name()) {
            running.push(fault);
        }
        Ok(())
    }

    async fn stop_fault(&self, sandbox: &str, name: FaultName) -> Result<(), EngineError> {
        if let Some(running) = self.state.lock().network_faults.get_mut(sandbox) {
            running.retain(|own| own.name() != name);
        }
        Ok(())
    }

    async fn has_fault(&self, sandbox: &str, name: FaultName) -> Result<bool, EngineError> {
        Ok(self.network_faults(sandbox).iter().any(|own| own.name() == name))
    }

    async fn find(&self, sandbox: &str, container: &str) -> Result<Found, EngineError> {
        let mut state = self.state.lock();
        Ok(match find(&mut state, sandbox, container) {
            None => Found::Nothing,
            Some(SimulatedContainer { exit: None, .. }) => Found::Running,
            Some(SimulatedContainer { exit: Some(exit), .. }) => Found::Ended(exit.clone()),
        })
    }

    async fn start(&self, sandbox: &str, plan: &ContainerPlan, _holder: &str) -> Result<String, EngineError> {
        if self.fails(&SimulatedFault::Start(plan.name.clone())) {
            return Err(EngineError(format!("exec {:?}: no such file or directory", plan.argv[0])));
        }
        self.change(|state| {
            let sandbox =
                state.sandboxes.get_mut(sandbox).ok_or_else(|| EngineError("no sandbox".to_owned()))?;
            let container = SimulatedContainer { env: plan.env.clone(), output: Vec::new(), exit: None };
            sandbox.containers.insert(plan.name.clone(), container);
            Ok(format!("runtime-{}", plan.name))
        })
    }

    async fn signal(&self, sandbox: &str, container: &str, signal: &str) -> Result<(), EngineError> {
        match signal {
            "SIGKILL" => self.exit(sandbox, container, 137),
            _ if self.fails(&SimulatedFault::IgnoresTerm(container.to_owned())) => {}
            _ => self.exit(sandbox, container, 143),
        }
        Ok(())
    }

    async fn probe(&self, _sandbox: &str, container: &str, _probe: &Probe) -> Result<ProbeEnd, EngineError> {
        let sick = self.fails(&SimulatedFault::Unhealthy(container.to_owned()));
        Ok(ProbeEnd { code: Some(i32::from(sick)), output: String::new() })
    }

    async fn attach(&self, _: &str, _: &str, _: &AttachPlan) -> Result<Attached, EngineError> {
        Err(EngineError("nothing runs here, so nobody can talk to it".to_owned()))
    }

    async fn usage(&self, _sandbox: &str, _container: &str) -> Result<Usage, EngineError> {
        Ok(Usage { cpu_nanos: 1_000_000, memory_bytes: 1 << 20 })
    }

    async fn stats(&self, _sandbox: &str, _container: &str) -> Result<Stats, EngineError> {
        let mut stats = Stats::default();
        stats.cpu.cpu_usage.total_usage = 1_000_000;
        stats.memory.usage = 1 << 20;
        stats.networks.insert("eth0".to_owned(), NetworkStats { rx_bytes: 100, ..NetworkStats::default() });
        Ok(stats)
    }

    async fn disk_room(&self) -> Result<DiskRoom, EngineError> {
        Ok(self.state.lock().room)
    }

    async fn disk_written(&self, sandbox: &str) -> Result<u64, EngineError> {
        Ok(self.state.lock().written.get(sandbox).copied().unwrap_or(0))
    }

    fn bounds_disk(&self) -> bool {
        false
    }

    async fn connect(&self, sandbox: &str, container: &str, path: &str) -> Result<UnixStream, EngineError> {
        let place = self.state.lock().sockets.get(&format!("{sandbox}/{container}{path}")).cloned();
        let place = place.ok_or_else(|| EngineError(format!("{path}: no such file or directory")))?;
        UnixStream::connect(place).await.map_err(|error| EngineError(error.to_string()))
    }

    async fn logs(
        &self,
        sandbox: &str,
        container: &str,
        _run: u32,
        from: Option<LogPosition>,
    ) -> Result<Box<dyn LogSource>, EngineError> {
        Ok(Box::new(Output {
            engine: self.clone(),
            sandbox: sandbox.to_owned(),
            container: container.to_owned(),
            at: from.and_then(|position| position.0.as_u64()).unwrap_or(0) as usize,
        }))
    }

    async fn end_proxy(&self, _sandbox: &str) {}

    async fn remove_sandbox(&self, sandbox: &str) -> Result<(), EngineError> {
        self.change(|state| state.sandboxes.remove(sandbox));
        Ok(())
    }

    async fn list(&self) -> Result<Vec<String>, EngineError> {
        Ok(self.sandboxes())
    }

    fn holders(&self) -> Vec<String> {
        self.state.lock().holders.iter().cloned().collect()
    }
}

struct Output {
    engine: SimulatedEngine,
    sandbox: String,
    container: String,
    at: usize,
}

#[async_trait::async_trait]
impl LogSource for Output {
    async fn read(&mut self, most: usize) -> Result<LogRead, EngineError> {
        let mut changes = self.engine.changed.subscribe();
        loop {
            let found = {
                let mut state = self.engine.state.lock();
                match find(&mut state, &self.sandbox, &self.container) {
                    None => Some(LogRead::End),
                    Some(container) => {
                        let new: Vec<LogRecord> =
                            container.output.iter().skip(self.at).take(most).cloned().collect();
                        match (new.is_empty(), &container.exit) {
                            (false, _) => Some(LogRead::Records(new)),
                            (true, Some(_)) => Some(LogRead::End),
                            (true, None) => None,
                        }
                    }
                }
            };
            if let Some(read) = found {
                if let LogRead::Records(records) = &read {
                    self.at += records.len();
                }
                return Ok(read);
            }
            if changes.changed().await.is_err() {
                return Ok(LogRead::End);
            }
        }
    }

    fn release(&mut self, _before: &LogPosition) {}
}
