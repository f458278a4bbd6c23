//! This machine as the region's host: network, images, runtime, and the agent that drives them.

use super::filter::FilterSwitch;
use super::name_server::HostNames;
use super::ranges::{self, Ranges};
use crate::data_dir::DataDir;
use crate::settings::{Overcommit, Settings};
use anyhow::{Context, Result, anyhow, bail};
use api_ec2::MachineNetworks;
use container_image::{Images, LocalRegistry};
use container_network::{Network, NetworkConfig, Subnet, network_in_use, pick_free_subnet};
use container_runtime::{Runtime, RuntimeConfig, disks_unavailable};
use controllers::discovery::Zones;
use environment::Environment;
use ipnet::Ipv4Net;
use load_balancer::Proxies;
use node_agent::{Agent, AgentConfig, ContainerEngine, Credentials};
use resources::ecr::RegistryHosts;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// File that keeps what must stay the same over restarts.
pub(super) const PLAN_FILE: &str = "host.toml";
/// Longest path of the tasks' directory: sockets lie below it, and their paths have 107 bytes.
const MOST_PATH_BYTES: usize = 70;
/// Age of images that no task uses before they are removed.
const UNUSED: Duration = Duration::from_secs(3 * 3600);
/// Time between two looks for such images.
const COLLECT: Duration = Duration::from_secs(1800);

/// Names and addresses of this region's things on the machine; different for every data directory.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct HostPlan {
    bridge: String,
    cgroup: String,
    subnet: String,
}

/// Where the agent finds the region.
pub(super) struct Address {
    pub(super) endpoint: String,
    pub(super) region: String,
    pub(super) registry_hosts: RegistryHosts,
    /// Where the registry hands blobs over by reference, if it does.
    pub(super) registry_socket: Option<PathBuf>,
    /// Zones that tasks see.
    pub(super) zones: Zones,
}

/// What becomes of sandboxes that are there when the host stops.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sandboxes {
    /// Tasks go on in them.
    Stay,
    /// Every task of the region is over, so whatever race left them, they are removed.
    BelongToNoTask,
}

/// The host at work.
pub(super) struct Host {
    network: Network,
    names: HostNames,
    runtime: Runtime,
    /// Of tasks with Service Connect.
    proxies: Proxies,
    subnet: Subnet,
    stop: CancellationToken,
    agent: JoinHandle<()>,
    /// Tells the name server what changes.
    naming: JoinHandle<()>,
    /// Where the agent keeps what it knows of its tasks.
    agent_tasks: PathBuf,
    collector: JoinHandle<()>,
}

impl HostPlan {
    /// The plan of an earlier start, or a new one.
    pub(super) fn of(dir: &DataDir, settings: &Settings) -> Result<Self> {
        // Nobody but root can claim ranges, and nobody else can have tasks on this machine.
        let claims = Ranges::lock(Path::new(ranges::DIRECTORY)).ok();
        if let Some(plan) = dir.read_file::<Self>(PLAN_FILE)? {
            if settings.task_subnet.as_ref().is_some_and(|wanted| *wanted != plan.subnet) {
                bail!(
                    "the tasks of {} have addresses from {}; that cannot be changed",
                    dir.path().display(),
                    plan.subnet
                );
            }
            claim(claims.as_ref(), plan.subnet()?, dir);
            return Ok(plan);
        }
        let subnet: Subnet = match &settings.task_subnet {
            Some(text) => text.parse().context("--task-subnet")?,
            None => pick_free_subnet(&[], &of_others(claims.as_ref(), dir))
                .ok_or_else(|| anyhow!("no private address range is free; name one with --task-subnet"))?,
        };
        if !(8..=24).contains(&subnet.prefix()) {
            bail!("--task-subnet must be a /8 to /24, not {subnet}");
        }
        let hash = hex::encode(Sha256::digest(dir.path().as_os_str().as_encoded_bytes()));
        let plan = Self {
            bridge: format!("ls-{}", &hash[..8]),
            cgroup: format!("longshore-{}", &hash[..8]),
            subnet: subnet.to_string(),
        };
        dir.write_file(PLAN_FILE, &plan)?;
        claim(claims.as_ref(), subnet, dir);
        Ok(plan)
    }

    fn subnet(&self) -> Result<Subnet> {
        self.subnet.parse().with_context(|| format!("read the subnet {}", self.subnet))
    }

    /// The addresses of the region's default VPCs.
    pub(super) fn range(&self) -> Result<Ipv4Net> {
        let subnet = self.subnet()?;
        Ok(Ipv4Net::new(subnet.network(), subnet.prefix())?)
    }
}

impl MachineNetworks for HostPlan {
    fn overlapping(&self, range: Ipv4Net) -> Option<Ipv4Net> {
        let wanted = Subnet::of(range.network(), range.prefix_len())?;
        let used = network_in_use(wanted, &self.bridge)?;
        Ipv4Net::new(used.network(), used.prefix()).ok()
    }
}

impl Host {
    pub(super) async fn start(
        plan: &HostPlan,
        address: Address,
        credentials: Credentials,
        dir: &DataDir,
        (shares, overcommit): (BTreeMap<String, PathBuf>, (Overcommit, Overcommit)),
        (environment, filter): (&Environment, FilterSwitch),
    ) -> Result<Self> {
        let subnet = plan.subnet()?;
        let images =
            Images::open(&dir.join("images"), environment.clone()).await.context("open the images")?;
        let program = std::env::current_exe().context("find the running program")?;
        let proxies = Proxies::new(dir.join("connect"), program.clone(), environment.clone());
        let runtime = Runtime::open(RuntimeConfig {
            root: tasks_dir(dir)?,
            shim_program: program.clone(),
            cgroup: plan.cgroup.clone(),
            disks: disks(dir),
        })?;
        let (cpu, memory) = capacity()?;
        let (cpu, memory) = (overcommit.0.of(cpu), overcommit.1.of(memory));
        let config = AgentConfig {
            endpoint: address.endpoint.clone(),
            region: address.region.clone(),
            credentials,
            cluster: resources::ecs::FARGATE_HOSTS.to_owned(),
            data_dir: dir.join("agent"),
            cpu,
            memory,
            attributes: vec![],
        };
        let agent_tasks = config.tasks_dir();
        let registries = local_registries(&address)?;
        // Last, so that a start that fails leaves no bridge behind.
        let network = Network::start(NetworkConfig {
            bridge: plan.bridge.clone(),
            subnet,
            mtu: 0,
            directory: PathBuf::from("/run/longshore/netns"),
        });
        let network = network.await.context("start the network of tasks")?;
        let zones = address.zones.clone();
        let names = HostNames::new(&network, plan.range()?, zones, dir.path(), program, environment.clone());
        if let Err(error) = names.start().await {
            leave(&network, &names).await;
            return Err(error);
        }
        filter.switch_on(network.clone());
        let engine = ContainerEngine::new(
            runtime.clone(),
            images.clone(),
            network.clone(),
            registries,
            shares,
            proxies.clone(),
            environment.clone(),
        );
        let stop = CancellationToken::new();
        let agent = Agent::new(config, Arc::new(engine), environment.clone());
        let naming = tokio::spawn(names.clone().follow(stop.clone()));
        let stopped = stop.clone();
        let agent = tokio::spawn(async move {
            if let Err(error) = agent.run(stopped.cancelled_owned()).await {
                tracing::error!(%error, "the agent of this machine ended: no task can run");
            }
        });
        let collector = tokio::spawn(collect(images, environment.clone(), stop.clone()));
        Ok(Self { network, names, runtime, proxies, subnet, stop, agent, naming, agent_tasks, collector })
    }

    pub(super) fn subnet(&self) -> Subnet {
        self.subnet
    }

    /// The network of its tasks.
    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    /// The names that its tasks find.
    pub(super) fn names(&self) -> &HostNames {
        &self.names
    }

    /// The proxies of its tasks.
    pub(super) fn proxies(&self) -> &Proxies {
        &self.proxies
    }

    /// Stops the agent. The network, the name server and the control group go too, when no task is left that needs them.
    pub(super) async fn stop(self, sandboxes: Sandboxes) {
        let Self { network, names, runtime, proxies, stop, agent, naming, agent_tasks, collector, .. } = self;
        stop.cancel();
        for task in [agent, naming, collector] {
            if task.await.is_err() {
                tracing::error!("a part of the host ended badly");
            }
        }
        if sandboxes == Sandboxes::BelongToNoTask {
            remove_sandboxes(&network, &runtime, &proxies).await;
            // A task is over for the region a moment before its agent has put away what it knew of it.
            match tokio::fs::remove_dir_all(&agent_tasks).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!(path = %agent_tasks.display(), %error, "cannot remove what the agent knew of tasks");
                }
                _ => {}
            }
        }
        leave(&network, &names).await;
        runtime.close();
    }
}

/// Removes the network when nobody is left in it, and then ends who answers there.
async fn leave(network: &Network, names: &HostNames) {
    match network.stop().await {
        Ok(true) => names.end().await,
        Ok(false) => {}
        Err(error) => tracing::warn!(%error, "cannot remove the network of tasks"),
    }
}

/// Ranges of other regions of this machine, stopped ones too.
fn of_others(claims: Option<&Ranges>, dir: &DataDir) -> Vec<Subnet> {
    let Some(claims) = claims else { return vec![] };
    claims.of_others(dir.path()).unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot read which address ranges other regions have");
        vec![]
    })
}

/// Keeps a range from regions that start while this one is stopped.
fn claim(claims: Option<&Ranges>, subnet: Subnet, dir: &DataDir) {
    if let Some(Err(error)) = claims.map(|claims| claims.claim(subnet, dir.path())) {
        tracing::warn!(%error, %subnet, "cannot claim the address range of tasks");
    }
}

/// Removes every sandbox and network that is there, whole or not.
async fn remove_sandboxes(network: &Network, runtime: &Runtime, proxies: &Proxies) {
    let mut ids: BTreeSet<String> = runtime.list().unwrap_or_default().into_iter().collect();
    ids.extend(network.list().await.unwrap_or_default());
    for id in ids {
        tracing::warn!(sandbox = id, "removing a sandbox that belongs to no task");
        if let Err(error) = proxies.remove(&id).await {
            tracing::error!(sandbox = id, %error, "cannot remove its proxy");
        }
        if let Err(error) = runtime.remove(&id).await {
            tracing::error!(sandbox = id, %error, "cannot remove it");
        }
        if let Err(error) = network.detach(&id).await {
            tracing::error!(sandbox = id, %error, "cannot remove its network");
        }
    }
}

/// Where formatted disks are kept that those of tasks are copied from, if this machine can have such disks.
fn disks(dir: &DataDir) -> Option<PathBuf> {
    match disks_unavailable() {
        None => Some(dir.join("disks")),
        Some(why) => {
            tracing::warn!(
                why,
                "the storage of tasks is watched instead of bounded, and volumes of EBS cannot be made"
            );
            None
        }
    }
}

fn tasks_dir(dir: &DataDir) -> Result<PathBuf> {
    let path = dir.join("tasks");
    if path.as_os_str().len() > MOST_PATH_BYTES {
        bail!(
            "the path {} is too long for the sockets below it; choose a shorter --data-dir",
            path.display()
        );
    }
    Ok(path)
}

/// Names of the region's registry, all reached at its endpoint.
fn local_registries(region: &Address) -> Result<Vec<LocalRegistry>> {
    let endpoint = region.endpoint.as_str();
    let address = endpoint.split_once("://").map_or(endpoint, |(_, address)| address);
    let mut address: SocketAddr = address.parse().with_context(|| format!("read the address {address}"))?;
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let registry =
        |host: &String| LocalRegistry { host: host.clone(), address, socket: region.registry_socket.clone() };
    Ok(region.registry_hosts.names().iter().map(registry).collect())
}

/// CPU units and MiB of this machine.
pub(crate) fn capacity() -> Result<(u32, u32)> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let text = std::fs::read_to_string(Path::new("/proc/meminfo")).context("read /proc/meminfo")?;
    let total = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse::<u64>().ok());
    let kib = total.context("read the memory of this machine")?;
    Ok((u32::try_from(cores * 1024)?, u32::try_from(kib / 1024)?))
}

async fn collect(images: Images, environment: Environment, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = environment.sleep(COLLECT) => {}
            () = stop.cancelled() => return,
        }
        match images.collect(UNUSED).await {
            Ok(collected) => tracing::info!(?collected, "collected unused images"),
            Err(error) => tracing::warn!(%error, "cannot collect unused images"),
        }
    }
}
