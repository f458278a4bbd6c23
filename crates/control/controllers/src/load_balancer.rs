//! Makes load balancers real: gives them addresses, tells the data plane of the host what its load balancers do, and writes
//! back what works, how the targets are, and what was counted.
//!
//! The data plane is told everything at once, so there is one key for all load balancers. Whatever is configured comes out of
//! the rows; a server that starts anew tells the data plane what it does already, and nothing changes for clients. Targets
//! that drain stay in the configuration until the data plane says that nothing is in progress there any more.

mod apply;
mod configure;
pub(crate) mod metrics;
mod observe;
mod plan;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use encryption::KeyRing;
use environment::Timestamp;
use identifiers::Region;
use load_balancing::{Configuration, Report};
use metric_store::Metrics;
use reconcile::{Next, Reconciler};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;
use store::{Revision, StoreError, Tables};
use tokio::sync::Mutex;
use virtual_networks::VirtualNetworks;

/// Time between two looks at what the data plane reports.
const LOOK: Duration = Duration::from_millis(250);
/// Time between two looks while targets drain or new ones are checked.
const LOOK_CLOSER: Duration = Duration::from_millis(50);

/// What a host does for load balancers.
#[async_trait]
pub trait DataPlane: Send + Sync + 'static {
    /// Has it do from now on what is wanted. It is at work when this returns.
    async fn apply(&self, wanted: &Wanted) -> Result<(), DataPlaneError>;

    /// What it has seen.
    async fn report(&self) -> Result<Report, DataPlaneError>;

    /// Nothing is left for it: its process and the addresses of load balancers go.
    async fn stop(&self) -> Result<(), DataPlaneError>;
}

/// Why the host did not do it.
#[derive(Debug, thiserror::Error)]
#[error("the data plane of load balancers: {0}")]
pub struct DataPlaneError(pub String);

/// What a host is to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// For the data plane.
    pub configuration: Configuration,
    /// Addresses that the host has for load balancers, by their names.
    pub names: BTreeMap<String, Vec<Ipv4Addr>>,
}

/// What the controller needs to know beside the rows.
#[derive(Clone)]
pub struct Settings {
    /// The region.
    pub region: Region,
    /// Where load balancers get their network interfaces from.
    pub networks: VirtualNetworks,
    /// Directory of access logs: `BUCKET/PREFIX/AWSLogs/...` lie below.
    pub access_logs: PathBuf,
    /// Application load balancers are reached on the loopback address, too, each by its name.
    pub loopback: bool,
}

/// The one key: all load balancers of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct All;

/// The controller.
pub struct LoadBalancerController<D> {
    tables: Tables,
    keys: KeyRing,
    metrics: Option<Metrics>,
    settings: Settings,
    data_plane: D,
    memory: Mutex<Memory>,
}

/// What only saves doing things again.
#[derive(Default)]
struct Memory {
    /// What was applied last by this process.
    applied: Option<Wanted>,
    /// Rows as they were at a revision of the store.
    rows: Option<(Revision, observe::Rows)>,
    counters: metrics::Counters,
    /// The data plane was stopped, or found to be.
    is_stopped: bool,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum LoadBalancerError {
    /// The rows failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The host failed.
    #[error(transparent)]
    DataPlane(#[from] DataPlaneError),
}

impl<D: DataPlane> LoadBalancerController<D> {
    /// Over the region's rows and a host.
    pub fn new(
        tables: Tables,
        keys: KeyRing,
        metrics: Option<Metrics>,
        settings: Settings,
        data_plane: D,
    ) -> Self {
        Self { tables, keys, metrics, settings, data_plane, memory: Mutex::default() }
    }

    async fn step(&self, memory: &mut Memory) -> Result<Next, LoadBalancerError> {
        let rows = self.observe(memory).await?;
        if rows.balancers.is_empty() {
            self.rest(&rows, memory).await?;
            return Ok(Next::Settled);
        }
        if self.give_addresses(&rows).await? {
            return Ok(Next::After(Duration::ZERO));
        }
        let wanted = configure::wanted(&rows, &self.settings);
        let now = self.tables.environment().now();
        let revision = self.tell(wanted, memory, now).await?;
        let report = self.data_plane.report().await?;
        let plan = plan::plan(&rows, &report, revision);
        let again = if plan.is_moving { LOOK_CLOSER } else { LOOK };
        self.apply(plan).await?;
        self.count(&rows, &report, &mut memory.counters).await;
        Ok(Next::After(again))
    }

    /// Tells the data plane what is wanted, unless it has been told. Answers the revision of what it was told.
    async fn tell(
        &self,
        mut wanted: Wanted,
        memory: &mut Memory,
        now: Timestamp,
    ) -> Result<u64, LoadBalancerError> {
        if let Some(applied) = &memory.applied {
            wanted.configuration.revision = applied.configuration.revision;
            if wanted == *applied {
                return Ok(applied.configuration.revision);
            }
        }
        // Higher than that of a server before, whose memory is gone.
        let own = u64::try_from(now.as_millis()).unwrap_or_default();
        wanted.configuration.revision = own.max(wanted.configuration.revision + 1);
        memory.applied = None;
        memory.is_stopped = false;
        self.data_plane.apply(&wanted).await?;
        let revision = wanted.configuration.revision;
        memory.applied = Some(wanted);
        Ok(revision)
    }

    /// No load balancer is left: the data plane ends, and targets are unused.
    async fn rest(&self, rows: &observe::Rows, memory: &mut Memory) -> Result<(), LoadBalancerError> {
        self.apply(plan::plan(rows, &Report::default(), 0)).await?;
        if !memory.is_stopped {
            self.data_plane.stop().await?;
            memory.is_stopped = true;
            memory.applied = None;
        }
        Ok(())
    }
}

impl<D: DataPlane> Reconciler for LoadBalancerController<D> {
    type Key = All;
    type Error = LoadBalancerError;

    async fn reconcile(&self, _key: &All) -> Result<Next, LoadBalancerError> {
        let mut memory = self.memory.lock().await;
        match self.step(&mut memory).await {
            Err(LoadBalancerError::Store(error)) if error.is_conflict() => Ok(Next::After(Duration::ZERO)),
            Err(error) => {
                // Whether it took effect is not known, so the data plane is told again.
                memory.applied = None;
                Err(error)
            }
            done => done,
        }
    }

    async fn keys(&self) -> Result<Vec<All>, LoadBalancerError> {
        Ok(vec![All])
    }
}
