//! One bridge and the tasks on it.

use crate::error::NetworkError;
use crate::subnet::Subnet;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

/// What a network is made of.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// Name of the bridge, at most 15 characters; a region of its own needs a bridge of its own.
    pub bridge: String,
    /// The tasks' addresses; the first host address is the bridge's.
    pub subnet: Subnet,
    /// Largest packet; that of the machine's way out, or 1500.
    pub mtu: u32,
    /// Where the namespaces are mounted, on a file system that the reboot empties: `/run/longshore/netns`.
    pub directory: PathBuf,
    /// Resolvers to forward name queries to; empty means those of `/etc/resolv.conf`, read anew when it changes.
    pub resolvers: Vec<SocketAddr>,
}

/// What one task needs.
#[derive(Clone, Debug)]
pub struct SandboxNetworkSpec {
    /// Names the namespace: letters, digits, `-`, `_`, `.`; at most 200.
    pub id: String,
    /// Address of the task, inside the subnet.
    pub address: Ipv4Addr,
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
    /// Its way out and its name server: the bridge's address.
    pub gateway: Ipv4Addr,
}

/// Names the network's name server answers itself. Cheap to clone; changes take effect at once.
#[derive(Clone, Debug, Default)]
pub struct Names(Arc<parking_lot::RwLock<HashMap<String, Vec<Ipv4Addr>>>>);

impl Names {
    /// Sets the addresses of a name; none removes it.
    pub fn set(&self, name: &str, addresses: Vec<Ipv4Addr>) {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if addresses.is_empty() {
            self.0.write().remove(&name);
        } else {
            self.0.write().insert(name, addresses);
        }
    }

    /// The addresses of a name, if it is one of ours.
    pub fn get(&self, name: &str) -> Option<Vec<Ipv4Addr>> {
        self.0.read().get(&name.trim_end_matches('.').to_ascii_lowercase()).cloned()
    }
}

/// A running network; cheap to clone.
#[derive(Clone)]
pub struct Network(#[expect(dead_code, reason = "signatures first")] Arc<()>);

#[expect(clippy::todo, unused_variables, reason = "signatures first")]
impl Network {
    /// Makes the bridge, the firewall table and the name server, or takes them over from an earlier run.
    pub async fn start(config: NetworkConfig) -> Result<Self, NetworkError> {
        todo!()
    }

    /// Makes the task's namespace. For a task that has one with this address already, that one.
    pub async fn attach(&self, spec: &SandboxNetworkSpec) -> Result<NetworkNamespace, NetworkError> {
        todo!()
    }

    /// Removes the task's namespace and interface; nothing happens when there is none.
    pub async fn detach(&self, id: &str) -> Result<(), NetworkError> {
        todo!()
    }

    /// Every task that has a namespace or interface here, whole or not; to find those nobody owns.
    pub async fn list(&self) -> Result<Vec<String>, NetworkError> {
        todo!()
    }

    /// Names that the name server answers by itself.
    pub fn names(&self) -> &Names {
        todo!()
    }

    /// The bridge's address: the tasks' gateway and name server.
    pub fn gateway(&self) -> Ipv4Addr {
        todo!()
    }

    /// Stops the name server; removes the bridge and the firewall table when no task is left, so that running
    /// tasks keep their network while the server restarts. Answers whether all is removed.
    pub async fn stop(&self) -> Result<bool, NetworkError> {
        todo!()
    }
}
