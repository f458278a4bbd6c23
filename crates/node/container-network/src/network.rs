//! One bridge and the tasks on it.

mod host_addresses;
#[cfg(test)]
pub(crate) mod tests;

use crate::endpoint::{Junction, Line};
use crate::error::NetworkError;
use crate::faults::{Fault, FaultName, Faults};
use crate::firewall::Firewall;
use crate::guard::Guard;
use crate::namespace::{self, Connection, file, netlink};
use crate::netlink::Netlink;
use crate::rules::Rules;
use crate::subnet::{Subnet, outgoing_mtu};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{OnceCell, Semaphore, oneshot};

/// Namespaces made at a time; the kernel makes them one after the other anyway.
const PARALLEL: usize = 8;
/// Attempts to make a directory below one that others remove.
const DIRECTORY_ATTEMPTS: u32 = 100;
/// Longest name of an interface.
const MAX_INTERFACE: usize = 15;
/// Longest id; it names a file and labels an interface.
const MAX_ID: usize = 200;

/// What a network is made of.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// Name of the bridge, at most 15 characters; a region of its own needs a bridge of its own.
    pub bridge: String,
    /// The tasks' addresses; the first host address is the bridge's.
    pub subnet: Subnet,
    /// Largest packet; 0 means that of the machine's way out.
    pub mtu: u32,
    /// Where the namespaces are mounted, on a file system that the reboot empties: `/run/longshore/netns`.
    /// Networks of different bridges may share it.
    pub directory: PathBuf,
}

/// What one task needs.
#[derive(Clone, Debug)]
pub struct SandboxNetworkSpec {
    /// Names the namespace: letters, digits, `-`, `_`, `.`; at most 200.
    pub id: String,
    /// Address of the task.
    pub address: Ipv4Addr,
    /// Gateway of its subnet, and bits of the subnet's mask; those of the network when absent.
    pub gateway: Option<(Ipv4Addr, u8)>,
    /// MAC address of its interface, `0a:58:0a:58:00:07`; made from the address when absent.
    pub mac: Option<String>,
}

/// The namespace of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkNamespace {
    /// The task.
    pub id: String,
    /// The mounted namespace, to be joined by `setns` or named in a container's specification.
    pub path: PathBuf,
    /// Its address.
    pub address: Ipv4Addr,
    /// MAC address of its interface.
    pub mac: String,
    /// Where it asks for names: the bridge's first address.
    pub gateway: Ipv4Addr,
}

/// A running network; cheap to clone.
#[derive(Clone)]
pub struct Network(Arc<Inner>);

struct Inner {
    config: NetworkConfig,
    guard: Guard,
    /// Gateways of subnets that the bridge has.
    gateways: tokio::sync::Mutex<BTreeSet<(Subnet, Ipv4Addr)>>,
    making: Semaphore,
    /// Where the endpoints of tasks are; made with the first.
    junction: OnceCell<Arc<Junction>>,
}

impl Network {
    /// Makes the bridge and the firewall table, or takes them over from an earlier run. A start that fails leaves nothing behind
    /// that no task needs.
    pub async fn start(mut config: NetworkConfig) -> Result<Self, NetworkError> {
        check(&config)?;
        if config.mtu == 0 {
            config.mtu = outgoing_mtu();
        }
        let firewall = Firewall::new(&config.bridge, config.subnet);
        let prepared = blocking({
            let (config, firewall) = (config.clone(), firewall.clone());
            move || prepare(&config, &firewall)
        });
        let (ports, failed) = match prepared.await {
            Ok(ports) => (ports, None),
            Err(error) => (BTreeMap::new(), Some(error)),
        };
        let network = Self(Arc::new(Inner {
            config,
            guard: Guard::new(firewall, ports),
            gateways: tokio::sync::Mutex::default(),
            making: Semaphore::new(PARALLEL),
            junction: OnceCell::new(),
        }));
        let Some(error) = failed else { return Ok(network) };
        if let Err(left) = network.stop().await {
            tracing::warn!(error = %left, "what a failed start of the network has made stays");
        }
        Err(error)
    }

    /// Makes the task's namespace. For a task that has one with this address already, that one.
    pub async fn attach(&self, spec: &SandboxNetworkSpec) -> Result<NetworkNamespace, NetworkError> {
        let (connection, answer) = self.0.connection(spec)?;
        let note = format!("{} {}\n", answer.address, answer.mac);
        // Before anything can be sent from there.
        self.0.guard.tie(connection.host_interface.clone(), answer.address).await?;
        {
            // The permit is never refused: the semaphore is not closed.
            let _permit = self.0.making.acquire().await;
            apart("network-attach", move || make_once(&connection, &note)).await?;
        }
        self.0.guard.admitted(answer.address).await;
        Ok(answer)
    }

    /// Lets through what these rules permit and nothing else, from now on, and gives the bridge the gateways of their
    /// networks. What is established already goes on. Until this is called first, the rules of an earlier run hold, or
    /// nothing passes.
    pub async fn set_rules(&self, mut rules: Rules) -> Result<(), NetworkError> {
        let own = self.0.config.subnet;
        {
            let mut gateways = self.0.gateways.lock().await;
            let (config, wanted) = (self.0.config.clone(), rules.networks.clone());
            let old = gateways.clone();
            if old != wanted {
                let new = wanted.clone();
                blocking(move || change_gateways(&config, &old, &new)).await?;
                *gateways = wanted;
            }
        }
        rules.networks.insert((own, own.gateway()));
        self.0.guard.set(rules).await
    }

    /// Opens the task's [`crate::ENDPOINT`]: what is accepted there came from inside of its namespace. It is closed by
    /// dropping the listener, and opened anew by calling this again.
    pub async fn endpoint(&self, id: &str, address: Ipv4Addr) -> Result<TcpListener, NetworkError> {
        let line = Line { namespace: self.0.path(id)?, address, name: self.0.host_interface(id) };
        let junction = self
            .0
            .junction
            .get_or_try_init(async || apart("network-junction", Junction::make).await.map(Arc::new));
        let junction = junction.await?.clone();
        let _permit = self.0.making.acquire().await;
        apart("network-endpoint", move || junction.listen(&line)).await
    }

    /// Where the task's namespace is mounted, or would be.
    pub fn namespace(&self, id: &str) -> Result<PathBuf, NetworkError> {
        self.0.path(id)
    }

    /// Starts a fault in the network of a task; nothing happens when one of its name runs.
    pub async fn start_fault(&self, id: &str, fault: Fault) -> Result<(), NetworkError> {
        self.in_faults(id, move |faults| faults.start(&fault)).await
    }

    /// Ends a fault in the network of a task; nothing happens when none of its name runs.
    pub async fn stop_fault(&self, id: &str, name: FaultName) -> Result<(), NetworkError> {
        self.in_faults(id, move |faults| faults.stop(name)).await
    }

    /// Whether a fault runs in the network of a task.
    pub async fn has_fault(&self, id: &str, name: FaultName) -> Result<bool, NetworkError> {
        self.in_faults(id, move |faults| Ok(faults.is_running(name))).await
    }

    async fn in_faults<T: Send + 'static>(
        &self,
        id: &str,
        work: impl FnOnce(&Faults) -> Result<T, NetworkError> + Send + 'static,
    ) -> Result<T, NetworkError> {
        let namespace = self.0.path(id)?;
        apart("network-faults", move || work(&Faults::inside(&namespace)?)).await
    }

    /// Removes the task's namespace and interface; nothing happens when there is none.
    pub async fn detach(&self, id: &str) -> Result<(), NetworkError> {
        let path = self.0.path(id)?;
        let interface = self.0.host_interface(id);
        let note = self.0.note(id);
        let port = interface.clone();
        blocking(move || {
            namespace::remove(&path, &interface)?;
            remove_note(&note)
        })
        .await?;
        self.0.guard.untie(port);
        Ok(())
    }

    /// Every task that has a namespace or interface here, whole or not; to find those nobody owns.
    pub async fn list(&self) -> Result<Vec<String>, NetworkError> {
        let config = self.0.config.clone();
        blocking(move || list(&config)).await
    }

    /// The bridge's address: the tasks' gateway, and where they ask for names.
    pub fn gateway(&self) -> Ipv4Addr {
        self.0.config.subnet.gateway()
    }

    /// Removes the bridge and the firewall table when no task and no address of the host is left, so that running tasks and
    /// load balancers keep their network while the server restarts. Answers whether all is removed.
    pub async fn stop(&self) -> Result<bool, NetworkError> {
        if !self.list().await?.is_empty() || !self.host_addresses().await?.is_empty() {
            return Ok(false);
        }
        let config = self.0.config.clone();
        blocking({
            let config = config.clone();
            move || {
                let mut kernel = Netlink::open().map_err(netlink("connecting to the kernel"))?;
                kernel.remove_link(&config.bridge).map_err(netlink("removing the bridge"))
            }
        })
        .await?;
        self.0.guard.remove().await?;
        blocking(move || {
            // Both stay when something else is in them.
            let _ = fs::remove_dir(config.directory.join(&config.bridge));
            let _ = fs::remove_dir(&config.directory);
            Ok(true)
        })
        .await
    }
}

impl Inner {
    fn connection(&self, spec: &SandboxNetworkSpec) -> Result<(Connection, NetworkNamespace), NetworkError> {
        let own = self.config.subnet;
        let (gateway, prefix) = spec.gateway.unwrap_or((own.gateway(), own.prefix()));
        let subnet = Subnet::of(spec.address, prefix).unwrap_or(own);
        // The gateway is no address of a task, whichever of the subnet's it is.
        if !subnet.is_host(spec.address) || !subnet.contains(gateway) || spec.address == gateway {
            return Err(NetworkError::Address(spec.address, subnet.to_string()));
        }
        let mac = match &spec.mac {
            Some(text) => parse_mac(text).ok_or_else(|| NetworkError::Mac(text.clone()))?,
            None => mac_of(spec.address),
        };
        let path = self.path(&spec.id)?;
        let answer = NetworkNamespace {
            id: spec.id.clone(),
            path: path.clone(),
            address: spec.address,
            mac: mac.map(|byte| format!("{byte:02x}")).join(":"),
            gateway: own.gateway(),
        };
        let connection = Connection {
            id: spec.id.clone(),
            path,
            bridge: self.config.bridge.clone(),
            host_interface: self.host_interface(&spec.id),
            mac,
            mtu: self.config.mtu,
            address: spec.address,
            prefix,
            broadcast: subnet.broadcast(),
            gateway,
        };
        Ok((connection, answer))
    }

    fn path(&self, id: &str) -> Result<PathBuf, NetworkError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if id.is_empty() || id.len() > MAX_ID || id.starts_with('.') || !id.bytes().all(allowed) {
            return Err(NetworkError::Id(id.chars().take(MAX_ID).collect()));
        }
        Ok(self.config.directory.join(&self.config.bridge).join(id))
    }

    /// Where the address of a namespace is noted; names with a dot in front are no ids.
    fn note(&self, id: &str) -> PathBuf {
        self.config.directory.join(&self.config.bridge).join(format!(".{id}"))
    }

    /// The name of the bridge's end of the task's cable, the same at each run.
    fn host_interface(&self, id: &str) -> String {
        host_interface(&self.config.bridge, id)
    }
}

/// See [`Inner::host_interface`].
fn host_interface(bridge: &str, id: &str) -> String {
    // FNV-1a; names need to differ, not to resist anyone: a clash is refused by the kernel.
    let hash =
        bridge.bytes().chain([0]).chain(id.bytes()).fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("ls{:013x}", hash >> 12)
}

fn check(config: &NetworkConfig) -> Result<(), NetworkError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let first = config.bridge.bytes().next();
    if config.bridge.len() > MAX_INTERFACE
        || !first.is_some_and(|byte| byte.is_ascii_alphabetic())
        || !config.bridge.bytes().all(allowed)
    {
        return Err(NetworkError::Config(format!("{:?} cannot name a bridge", config.bridge)));
    }
    if !(8..=29).contains(&config.subnet.prefix()) {
        return Err(NetworkError::Config(format!("a subnet like {} holds no tasks", config.subnet)));
    }
    if config.mtu != 0 && !(576..=65_535).contains(&config.mtu) {
        return Err(NetworkError::Config(format!("an MTU of {} does not work", config.mtu)));
    }
    Ok(())
}

/// Bridge, forwarding and firewall; the ports that are there, with their addresses. Blocking.
fn prepare(config: &NetworkConfig, firewall: &Firewall) -> Result<BTreeMap<String, Ipv4Addr>, NetworkError> {
    let directory = config.directory.join(&config.bridge);
    make_directory(&directory)?;
    let mut kernel = Netlink::open().map_err(netlink("connecting to the kernel"))?;
    if let Some(index) = kernel.link(&config.bridge).map_err(netlink("looking for the bridge"))?
        && list(config)?.is_empty()
        && host_addresses::on(&mut kernel, index, &BTreeSet::new())?.is_empty()
    {
        // Nobody needs it, and its address may be that of an earlier configuration.
        kernel.remove_link(&config.bridge).map_err(netlink("removing the old bridge"))?;
    }
    let gateway = config.subnet.gateway();
    match kernel.add_bridge(&config.bridge, mac_of(gateway), config.mtu) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(netlink("making the bridge")(error));
        }
        _ => {}
    }
    let index = kernel.link(&config.bridge).map_err(netlink("looking for the bridge"))?;
    let index = index.ok_or_else(|| NetworkError::Config("the new bridge is gone".to_owned()))?;
    kernel
        .add_address(index, gateway, config.subnet.prefix(), Some(config.subnet.broadcast()))
        .map_err(netlink("giving the bridge its address"))?;
    kernel.set_up(index, None).map_err(netlink("switching on the bridge"))?;
    // Tasks do not see each other on the bridge: the machine answers for their addresses and forwards, by the rules.
    for link in kernel.links().map_err(netlink("listing interfaces"))? {
        if link.master == Some(index) {
            kernel.isolate(link.index).map_err(netlink("isolating a port of the bridge"))?;
        }
    }
    namespace::set(&format!("net/ipv4/conf/{}/proxy_arp_pvlan", config.bridge), "1")?;
    namespace::set(&format!("net/ipv4/neigh/{}/proxy_delay", config.bridge), "0")?;
    namespace::set("net/ipv4/ip_forward", "1")?;
    let ports = ports(config)?;
    firewall.begin(&ports)?;
    Ok(ports)
}

/// The ports of the bridge that are noted, with the addresses of their tasks.
fn ports(config: &NetworkConfig) -> Result<BTreeMap<String, Ipv4Addr>, NetworkError> {
    let directory = config.directory.join(&config.bridge);
    let noted = |id: &String| {
        let note = fs::read_to_string(directory.join(format!(".{id}"))).ok()?;
        let address = note.split_whitespace().next()?.parse().ok()?;
        Some((host_interface(&config.bridge, id), address))
    };
    Ok(list(config)?.iter().filter_map(noted).collect())
}

/// Gives the bridge the gateways of new subnets, and takes those of old ones. Blocking.
fn change_gateways(
    config: &NetworkConfig,
    old: &BTreeSet<(Subnet, Ipv4Addr)>,
    new: &BTreeSet<(Subnet, Ipv4Addr)>,
) -> Result<(), NetworkError> {
    let mut kernel = Netlink::open().map_err(netlink("connecting to the kernel"))?;
    let index = kernel.link(&config.bridge).map_err(netlink("looking for the bridge"))?;
    let index = index.ok_or_else(|| NetworkError::Config(format!("the bridge {} is gone", config.bridge)))?;
    let own = config.subnet;
    // A subnet of the bridge's own network needs no route of its own.
    let prefix = |range: &Subnet| if own.overlaps(*range) { 32 } else { range.prefix() };
    for (range, gateway) in old.difference(new).filter(|(_, gateway)| *gateway != own.gateway()) {
        kernel
            .remove_address(index, *gateway, prefix(range))
            .map_err(netlink("taking the gateway of a subnet away"))?;
    }
    for (range, gateway) in new.difference(old).filter(|(_, gateway)| *gateway != own.gateway()) {
        kernel
            .add_address(index, *gateway, prefix(range), None)
            .map_err(netlink("giving the bridge the gateway of a subnet"))?;
    }
    Ok(())
}

/// Makes a directory. Networks of other regions remove the one above when they find it empty, perhaps in between.
fn make_directory(directory: &Path) -> Result<(), NetworkError> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match fs::DirBuilder::new().recursive(true).mode(0o755).create(directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && attempt < DIRECTORY_ATTEMPTS => {}
            other => return other.map_err(file("making", directory)),
        }
    }
}

/// Makes the namespace unless it is there; a broken one is removed first, and what a failure left behind too.
fn make_once(connection: &Connection, note: &str) -> Result<(), NetworkError> {
    let (path, interface) = (&connection.path, &connection.host_interface);
    let note_path = path.with_file_name(format!(".{}", connection.id));
    let noted = fs::read_to_string(&note_path).is_ok_and(|noted| noted == note);
    let mut kernel = Netlink::open().map_err(netlink("connecting to the kernel"))?;
    let cable = kernel.link(interface).map_err(netlink("looking for the cable's end"))?;
    if noted && cable.is_some() && namespace::is_mounted(path) {
        return Ok(());
    }
    if cable.is_some() || path.exists() {
        namespace::remove(path, interface)?;
    }
    let made = namespace::make(connection)
        .and_then(|()| fs::write(&note_path, note).map_err(file("writing", &note_path)));
    if made.is_err() {
        // This thread has left the host's namespace; the interface ends with its other end, in the namespace.
        if let Err(error) = namespace::unmount(path) {
            tracing::warn!(%error, "a namespace that could not be made whole stays");
        }
    }
    made
}

fn list(config: &NetworkConfig) -> Result<Vec<String>, NetworkError> {
    let directory = config.directory.join(&config.bridge);
    let mut ids = BTreeSet::new();
    for entry in fs::read_dir(&directory).map_err(file("listing", &directory))? {
        let name = entry.map_err(file("listing", &directory))?.file_name();
        let name = name.to_string_lossy();
        ids.insert(name.strip_prefix('.').unwrap_or(&name).to_owned());
    }
    let links =
        Netlink::open().and_then(|mut netlink| netlink.links()).map_err(netlink("listing interfaces"))?;
    let bridge = links.iter().find(|link| link.name == config.bridge).map(|link| link.index);
    for link in links.iter().filter(|link| bridge.is_some() && link.master == bridge) {
        ids.extend(link.alias.clone());
    }
    Ok(ids.into_iter().collect())
}

fn remove_note(path: &Path) -> Result<(), NetworkError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(file("removing", path)(error)),
        _ => Ok(()),
    }
}

/// A locally administered MAC address that two machines with different addresses cannot share.
fn mac_of(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x0a, 0x58, a, b, c, d]
}

fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.split([':', '-']);
    for byte in &mut mac {
        let part = parts.next().filter(|part| part.len() == 2)?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    // The lowest bit of the first byte marks groups of stations.
    (parts.next().is_none() && mac[0] & 1 == 0 && mac != [0; 6]).then_some(mac)
}

/// Works on a thread of its own: one that takes on another namespace must not be used for anything else afterwards.
async fn apart<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> Result<T, NetworkError> + Send + 'static,
) -> Result<T, NetworkError> {
    let (done, result) = oneshot::channel();
    let work = move || {
        // Nobody waits any more if the caller was cancelled; a namespace that was made is then found by `list`.
        let _ = done.send(work());
    };
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|source| NetworkError::Namespace { step: "starting a thread", source })?;
    result.await.map_err(|_| NetworkError::Worker)?
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NetworkError> + Send + 'static,
) -> Result<T, NetworkError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| NetworkError::Worker)?
}
