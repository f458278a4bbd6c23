//! The engine of this machine: images, networks and sandboxes of the node crates.

mod attached;
mod events;
mod proxy;
mod proxy_output;
mod signal;
mod socket;
mod stats;

use crate::engine::stats::Stats;
use crate::engine::{
    AttachPlan, Attached, ContainerPlan, DiskRoom, Engine, EngineError, Exit, Found, LogPosition, LogRead,
    LogRecord, LogSource, MountOrigin, PROXY, Probe, ProbeEnd, PulledImage, SandboxEvent, SandboxPlan, Usage,
    VolumeKind, VolumePlan,
};
use container_image::{BasicAuth, Image, Images, LocalRegistry, PullOptions};
use container_network::faults::{Fault, FaultName};
use container_network::{Network, SandboxNetworkSpec, TaskFiles};
use container_runtime::{
    AttachSpec, ContainerSpec, Disk, ExecSpec, FileSystem, LogChunk, LogReader, Mount, MountSource, Phase,
    Runtime, Sandbox, SandboxSpec, Tmpfs, Ulimit, Volume, VolumeSource,
};
use environment::{Environment, Timestamp};
use load_balancer::Proxies;
use parking_lot::Mutex;
use proxy_output::ProxyOutput;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Most processes of a task.
const MOST_PROCESSES: u32 = 4096;

/// Runs containers on this machine.
pub struct ContainerEngine {
    runtime: Runtime,
    images: Images,
    network: Network,
    registries: Vec<LocalRegistry>,
    /// Directories of the host that stand for shared file systems, by their ids.
    shares: BTreeMap<String, PathBuf>,
    /// Proxies of tasks.
    proxies: Proxies,
    environment: Environment,
    /// Images in use, by who keeps them.
    held: Mutex<HashMap<String, Image>>,
    /// Who follows which sandbox.
    watches: Mutex<HashMap<String, AbortHandle>>,
}

impl ContainerEngine {
    /// Over what was opened already. `registries` are hosts of images that are reached at known addresses, `shares`
    /// directories of this machine that stand for shared file systems, by `fs-` or `fsap-` and their numbers, `proxies` those
    /// of tasks.
    pub fn new(
        runtime: Runtime,
        images: Images,
        network: Network,
        registries: Vec<LocalRegistry>,
        shares: BTreeMap<String, PathBuf>,
        proxies: Proxies,
        environment: Environment,
    ) -> Self {
        Self {
            runtime,
            images,
            network,
            registries,
            shares,
            proxies,
            environment,
            held: Mutex::default(),
            watches: Mutex::default(),
        }
    }

    fn volume(&self, volume: &VolumePlan) -> Result<Volume, EngineError> {
        let source = match &volume.kind {
            VolumeKind::Scratch => VolumeSource::Scratch,
            VolumeKind::Block { gib, file_system } => {
                let file_system = match file_system.as_str() {
                    "ext3" => FileSystem::Ext3,
                    "ext4" => FileSystem::Ext4,
                    "xfs" => FileSystem::Xfs,
                    other => return Err(EngineError(format!("{other} is no file system of volumes"))),
                };
                VolumeSource::Disk(Disk { gib: *gib, file_system })
            }
            VolumeKind::Shared { id, root } => {
                let share = self.shares.get(id).cloned().ok_or_else(|| {
                    EngineError(format!(
                        "failed to invoke EFS utils commands to set up EFS volumes: stderr: Failed to resolve \
                         \"{id}\": this host has no directory for it"
                    ))
                })?;
                VolumeSource::Directory { share, root: root.clone() }
            }
        };
        Ok(Volume { name: volume.name.clone(), source })
    }

    fn sandbox(&self, id: &str) -> Result<Sandbox, EngineError> {
        self.runtime.remains(id).ok_or_else(|| EngineError(format!("there is no sandbox {id}")))
    }

    fn follow(&self, sandbox: Sandbox, events: mpsc::Sender<SandboxEvent>) {
        let id = sandbox.id().to_owned();
        let watch = tokio::spawn(events::follow(sandbox, events, self.environment.clone()));
        if let Some(old) = self.watches.lock().insert(id, watch.abort_handle()) {
            old.abort();
        }
    }

    fn image(&self, holder: &str) -> Result<Image, EngineError> {
        let held = self.held.lock().get(holder).cloned();
        held.or_else(|| self.images.held_by(holder))
            .ok_or_else(|| EngineError("the image is not here any more".to_owned()))
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn failed(error: impl std::fmt::Display) -> EngineError {
    EngineError(error.to_string())
}

#[async_trait::async_trait]
impl Engine for ContainerEngine {
    async fn pull(
        &self,
        image: &str,
        auth: Option<BasicAuth>,
        holder: &str,
    ) -> Result<PulledImage, EngineError> {
        let options =
            PullOptions { auth, local_registries: self.registries.clone(), ..PullOptions::default() };
        let image = self.images.pull(image, &options).await.map_err(failed)?;
        self.images.hold(&image, holder).await.map_err(failed)?;
        let pulled = PulledImage { digest: image.resolved.to_string(), config: (*image.config).clone() };
        self.held.lock().insert(holder.to_owned(), image);
        Ok(pulled)
    }

    async fn release(&self, holder: &str) {
        self.held.lock().remove(holder);
        if let Err(error) = self.images.release(holder).await {
            tracing::warn!(holder, %error, "an image stays held");
        }
    }

    async fn create_sandbox(
        &self,
        plan: &SandboxPlan,
        events: mpsc::Sender<SandboxEvent>,
    ) -> Result<(), EngineError> {
        if self.runtime.remains(&plan.id).is_some() {
            // Half made by an agent that died.
            self.remove_sandbox(&plan.id).await?;
        }
        let network = SandboxNetworkSpec {
            id: plan.id.clone(),
            address: plan.address,
            gateway: plan.gateway,
            mac: plan.mac.clone(),
        };
        // The shim takes a copy of the machine's mounts when it starts, so the namespace must be mounted before.
        let namespace = self.network.attach(&network).await.map_err(failed)?;
        let names = plan.proxy.as_ref().map_or(&[][..], |proxy| &proxy.names);
        let files = TaskFiles::new(&plan.hostname, plan.address, namespace.gateway, &plan.search, names);
        let spec = SandboxSpec {
            id: plan.id.clone(),
            hostname: plan.hostname.clone(),
            network_namespace: namespace.path.clone(),
            hosts: files.hosts,
            resolv_conf: files.resolv_conf,
            cpu: plan.cpu,
            memory: plan.memory.map(|mib| u64::from(mib) << 20),
            pids: MOST_PROCESSES,
            scratch: plan.storage.map(|gib| Disk { gib, file_system: FileSystem::Ext4 }),
            volumes: plan.volumes.iter().map(|volume| self.volume(volume)).collect::<Result<_, _>>()?,
            shared_processes: plan.shared_processes,
        };
        let created = self.runtime.create(&spec).await.map_err(failed)?;
        self.follow(created, events);
        if plan.proxy.is_some() {
            self.start_proxy(&plan.id, &namespace.path).await?;
        }
        Ok(())
    }

    async fn adopt(&self, sandbox: &str, events: mpsc::Sender<SandboxEvent>) -> Result<bool, EngineError> {
        if let Some(living) = self.runtime.adopt(sandbox) {
            self.follow(living, events);
            self.find_proxy(sandbox).await;
            return Ok(true);
        }
        // Without its shim, what it wrote down last is still worth reading.
        Ok(self.runtime.remains(sandbox).is_some_and(|remains| !remains.last_state().is_empty()))
    }

    async fn endpoint(&self, sandbox: &str, address: Ipv4Addr) -> Result<TcpListener, EngineError> {
        self.network.endpoint(sandbox, address).await.map_err(|error| failed(chain(&error)))
    }

    async fn start_fault(&self, sandbox: &str, fault: Fault) -> Result<(), EngineError> {
        self.network.start_fault(sandbox, fault).await.map_err(|error| EngineError(chain(&error)))
    }

    async fn stop_fault(&self, sandbox: &str, name: FaultName) -> Result<(), EngineError> {
        self.network.stop_fault(sandbox, name).await.map_err(|error| EngineError(chain(&error)))
    }

    async fn has_fault(&self, sandbox: &str, name: FaultName) -> Result<bool, EngineError> {
        self.network.has_fault(sandbox, name).await.map_err(|error| EngineError(chain(&error)))
    }

    async fn find(&self, sandbox: &str, container: &str) -> Result<Found, EngineError> {
        let remains = self.sandbox(sandbox)?;
        let lives = self.runtime.adopt(sandbox).is_some();
        let state = remains.last_state();
        Ok(match state.get(container).map(|state| state.phase) {
            None => Found::Nothing,
            Some(Phase::Running { .. }) if lives => Found::Running,
            Some(Phase::Running { .. }) => {
                Found::Ended(Exit { code: None, out_of_memory: false, at: self.environment.now() })
            }
            Some(Phase::Exited { code, out_of_memory, at_ms }) => {
                Found::Ended(Exit { code, out_of_memory, at: Timestamp::from_millis(at_ms) })
            }
        })
    }

    async fn start(&self, sandbox: &str, plan: &ContainerPlan, holder: &str) -> Result<String, EngineError> {
        let image = self.image(holder)?;
        let spec = container_spec(plan, &image);
        self.sandbox(sandbox)?.start(&spec).await.map_err(failed)
    }

    async fn signal(&self, sandbox: &str, container: &str, signal: &str) -> Result<(), EngineError> {
        let number = signal::number(signal).ok_or_else(|| EngineError(format!("{signal:?} is no signal")))?;
        self.sandbox(sandbox)?.signal(container, number).await.map_err(failed)
    }

    async fn probe(&self, sandbox: &str, container: &str, probe: &Probe) -> Result<ProbeEnd, EngineError> {
        let timeout_ms = u64::try_from(probe.timeout.as_millis()).unwrap_or(u64::MAX);
        let exec = ExecSpec { argv: probe.argv.clone(), timeout_ms };
        let result = self.sandbox(sandbox)?.exec(container, &exec).await.map_err(failed)?;
        Ok(ProbeEnd { code: result.code, output: result.output })
    }

    async fn attach(
        &self,
        sandbox: &str,
        container: &str,
        plan: &AttachPlan,
    ) -> Result<Attached, EngineError> {
        let spec = AttachSpec { argv: plan.argv.clone(), env: plan.env.clone(), terminal: plan.terminal };
        let attachment = self.sandbox(sandbox)?.attach(container, &spec).await.map_err(failed)?;
        attached::attached(attachment)
    }

    async fn usage(&self, sandbox: &str, container: &str) -> Result<Usage, EngineError> {
        let usage = self.sandbox(sandbox)?.usage(container).await.map_err(failed)?;
        Ok(Usage { cpu_nanos: usage.cpu_nanos, memory_bytes: usage.memory_bytes })
    }

    async fn stats(&self, sandbox: &str, container: &str) -> Result<Stats, EngineError> {
        let state = self.sandbox(sandbox)?.last_state();
        let Some(Phase::Running { pid }) = state.get(container).map(|state| state.phase) else {
            return Err(EngineError(format!("container {container} does not run")));
        };
        let measured = tokio::task::spawn_blocking(move || stats::measure(pid)).await.map_err(failed)?;
        measured.map_err(failed)
    }

    async fn disk_room(&self) -> Result<DiskRoom, EngineError> {
        let (available, total) = self.runtime.room().map_err(failed)?;
        Ok(DiskRoom { available, total })
    }

    async fn disk_written(&self, sandbox: &str) -> Result<u64, EngineError> {
        let (runtime, id) = (self.runtime.clone(), sandbox.to_owned());
        tokio::task::spawn_blocking(move || runtime.written(&id)).await.map_err(failed)
    }

    fn bounds_disk(&self) -> bool {
        self.runtime.has_disks()
    }

    async fn connect(&self, sandbox: &str, container: &str, path: &str) -> Result<UnixStream, EngineError> {
        let state = self.sandbox(sandbox)?.last_state();
        let Some(Phase::Running { pid }) = state.get(container).map(|state| state.phase) else {
            return Err(EngineError(format!("container {container} does not run")));
        };
        socket::connect(pid, path).await.map_err(|error| EngineError(format!("{path}: {error}")))
    }

    async fn logs(
        &self,
        sandbox: &str,
        container: &str,
        run: u32,
        from: Option<LogPosition>,
    ) -> Result<Box<dyn LogSource>, EngineError> {
        if container == PROXY {
            let from = from.map(|position| serde_json::from_value(position.0)).transpose().map_err(failed)?;
            return Ok(Box::new(ProxyOutput::new(self, sandbox, from.unwrap_or_default())));
        }
        let from = from.map(|position| serde_json::from_value(position.0)).transpose().map_err(failed)?;
        Ok(Box::new(Output(self.sandbox(sandbox)?.logs_of_run(container, run, from))))
    }

    async fn end_proxy(&self, sandbox: &str) {
        self.proxies.end(sandbox).await;
    }

    async fn remove_sandbox(&self, sandbox: &str) -> Result<(), EngineError> {
        if let Some(watch) = self.watches.lock().remove(sandbox) {
            watch.abort();
        }
        self.proxies.remove(sandbox).await.map_err(failed)?;
        let (removed, detached) = tokio::join!(self.runtime.remove(sandbox), self.network.detach(sandbox));
        removed.map_err(failed)?;
        detached.map_err(failed)
    }

    async fn list(&self) -> Result<Vec<String>, EngineError> {
        let mut all: BTreeSet<String> = self.runtime.list().map_err(failed)?.into_iter().collect();
        all.extend(self.network.list().await.map_err(failed)?);
        Ok(all.into_iter().collect())
    }

    fn holders(&self) -> Vec<String> {
        self.images.holders()
    }
}

fn container_spec(plan: &ContainerPlan, image: &Image) -> ContainerSpec {
    let mounts = plan.mounts.iter();
    let mount = |m: &crate::MountPlan| Mount {
        source: match &m.source {
            MountOrigin::Volume(name) => MountSource::Volume(name.clone()),
            MountOrigin::Host(path) => MountSource::Host(path.clone()),
        },
        target: m.target.clone(),
        read_only: m.read_only,
    };
    let tmpfs = |t: &crate::TmpfsPlan| Tmpfs { target: t.target.clone(), options: t.options.clone() };
    let ulimit = |u: &crate::UlimitPlan| Ulimit { name: u.name.clone(), soft: u.soft, hard: u.hard };
    ContainerSpec {
        name: plan.name.clone(),
        layers: image.layers.to_vec(),
        argv: plan.argv.clone(),
        env: plan.env.clone(),
        cwd: plan.cwd.clone(),
        user: plan.user.clone(),
        readonly_root: plan.readonly_root,
        init: plan.init,
        cap_add: plan.cap_add.clone(),
        cap_drop: plan.cap_drop.clone(),
        mounts: mounts.map(mount).collect(),
        tmpfs: plan.tmpfs.iter().map(tmpfs).collect(),
        shm_size: plan.shm_size,
        ulimits: plan.ulimits.iter().map(ulimit).collect(),
        memory: plan.memory,
        memory_reservation: plan.memory_reservation,
        cpu_shares: plan.cpu_shares,
        sysctls: plan.sysctls.clone(),
        interactive: plan.interactive,
        terminal: plan.terminal,
        keep_output: plan.keep_output,
        run: plan.run,
    }
}

/// A container's output in files.
struct Output(LogReader);

#[async_trait::async_trait]
impl LogSource for Output {
    async fn read(&mut self, most: usize) -> Result<LogRead, EngineError> {
        match self.0.read(most).await.map_err(failed)? {
            LogChunk::End => Ok(LogRead::End),
            LogChunk::Records(records) => {
                let record = |record: container_runtime::LogRecord| {
                    Ok(LogRecord {
                        at: Timestamp::from_millis(record.at_ms),
                        bytes: record.bytes,
                        partial: record.partial,
                        stderr: record.stderr,
                        next: LogPosition(serde_json::to_value(record.next).map_err(failed)?),
                    })
                };
                Ok(LogRead::Records(records.into_iter().map(record).collect::<Result<_, EngineError>>()?))
            }
        }
    }

    fn release(&mut self, before: &LogPosition) {
        if let Ok(position) = serde_json::from_value(before.0.clone()) {
            self.0.release(position);
        }
    }
}
