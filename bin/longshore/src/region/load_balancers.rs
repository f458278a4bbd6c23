//! The load balancers of this machine: their process, the addresses they have on the bridge, and their names.

use super::name_server::{HostNames, Names};
use crate::hosts_file::HostsFile;
use container_network::Network;
use controllers::load_balancer::{DataPlane, DataPlaneError, Wanted};
use environment::Environment;
use load_balancer::LoadBalancers;
use load_balancing::Report;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How long what is in progress may take when no load balancer is left.
const DRAIN: Duration = Duration::from_secs(5);

/// The data plane of the host; clones are the same.
#[derive(Clone)]
pub(super) struct HostDataPlane(Arc<Inner>);

struct Inner {
    network: Network,
    /// Where tasks find load balancers.
    names: HostNames,
    /// Where the process keeps what it needs; there while there is a process, or one is to be started again.
    directory: PathBuf,
    program: PathBuf,
    environment: Environment,
    hosts_file: Option<HostsFile>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    process: Option<LoadBalancers>,
    /// As the hosts file has them.
    names: Names,
}

impl HostDataPlane {
    /// Over the host's network and names. With `hosts_file`, names are written there, too.
    pub(super) fn new(
        (network, names): (Network, HostNames),
        directory: PathBuf,
        program: PathBuf,
        environment: Environment,
        hosts_file: Option<HostsFile>,
    ) -> Self {
        let state = Mutex::default();
        Self(Arc::new(Inner { network, names, directory, program, environment, hosts_file, state }))
    }
}

fn failed(error: impl Display) -> DataPlaneError {
    DataPlaneError(error.to_string())
}

/// The text of an error with those of its sources.
fn chain(error: &dyn std::error::Error) -> DataPlaneError {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    DataPlaneError(text)
}

impl Inner {
    /// The process of the directory, found or started.
    async fn process<'a>(&self, state: &'a mut State) -> Result<&'a LoadBalancers, DataPlaneError> {
        if state.process.is_none() {
            let started = load_balancer::start(&self.directory, &self.program, &self.environment).await;
            state.process = Some(started.map_err(|error| chain(&error))?);
        }
        state.process.as_ref().ok_or_else(|| failed("no process"))
    }

    /// Has tasks and, where it is wanted, programs of this machine find the load balancers by their names.
    fn tell_names(&self, state: &mut State, names: Names) {
        self.names.set(names.clone());
        if state.names != names
            && let Some(file) = &self.hosts_file
            && let Err(error) = file.write(&names)
        {
            tracing::warn!(error = format!("{error:#}"), "cannot write the names of load balancers");
        }
        state.names = names;
    }
}

#[async_trait::async_trait]
impl DataPlane for HostDataPlane {
    async fn apply(&self, wanted: &Wanted) -> Result<(), DataPlaneError> {
        let mut state = self.0.state.lock().await;
        let network = &self.0.network;
        let addresses: BTreeSet<Ipv4Addr> = wanted.names.values().flatten().copied().collect();
        // Those of load balancers that go stay until nothing listens there any more.
        let mut all = network.host_addresses().await.map_err(failed)?;
        all.extend(&addresses);
        network.set_host_addresses(all).await.map_err(failed)?;
        let process = self.0.process(&mut state).await?;
        process.apply(&wanted.configuration).await.map_err(|error| chain(&error))?;
        network.set_host_addresses(addresses).await.map_err(failed)?;
        self.0.tell_names(&mut state, wanted.names.clone());
        Ok(())
    }

    async fn report(&self) -> Result<Report, DataPlaneError> {
        let mut state = self.0.state.lock().await;
        self.0.process(&mut state).await?.report().await.map_err(|error| chain(&error))
    }

    async fn stop(&self) -> Result<(), DataPlaneError> {
        let mut state = self.0.state.lock().await;
        // Without its directory there is no process.
        if self.0.directory.exists() {
            self.0.process(&mut state).await?;
            if let Some(process) = state.process.take() {
                process.stop(DRAIN).await.map_err(|error| chain(&error))?;
            }
            std::fs::remove_dir_all(&self.0.directory).map_err(failed)?;
        }
        self.0.network.set_host_addresses(BTreeSet::new()).await.map_err(failed)?;
        self.0.tell_names(&mut state, Names::new());
        Ok(())
    }
}
