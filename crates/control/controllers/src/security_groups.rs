//! Keeps the host's packet filter at what the security groups of the region say.
//!
//! Any change of a VPC, a subnet, a security group or a network interface makes a new plan of all rows, and the filter is
//! told the whole plan. The filter is level-triggered, too: it works out what differs from what it has. Rows are the
//! only memory, so after a restart the first plan is what the store says.

use reconcile::{Next, Queue, Reconciler};
use resources::ec2::{NetworkInterface, SecurityGroup, Subnet, Vpc};
use security_groups::{Plan, plan};
use std::sync::Arc;
use store::{StoreError, Tables};

/// Why the filter of a host is not as it should be.
#[derive(Debug, thiserror::Error)]
#[error("tell the host what to let through: {0}")]
pub struct NotFiltered(pub String);

/// The packet filter of the host.
#[async_trait::async_trait]
pub trait PacketFilter: Send + Sync {
    /// Lets through what a plan permits and nothing else, from one moment to the next.
    async fn apply(&self, plan: Plan) -> Result<(), NotFiltered>;
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The store.
    #[error("read the networks")]
    Store(#[from] StoreError),
    /// The filter.
    #[error(transparent)]
    Filter(#[from] NotFiltered),
}

/// The controller; it has one key.
pub struct SecurityGroupController {
    tables: Tables,
    filter: Arc<dyn PacketFilter>,
    queue: Queue<()>,
}

impl SecurityGroupController {
    /// Over the region's rows; `queue` is nudged when one changes.
    pub fn new(tables: Tables, filter: Arc<dyn PacketFilter>, queue: Queue<()>) -> Self {
        Self { tables, filter, queue }
    }

    /// Takes note that a row has changed.
    pub(crate) fn changed(&self) {
        self.queue.nudge(());
    }
}

impl Reconciler for SecurityGroupController {
    type Key = ();
    type Error = Failed;

    async fn reconcile(&self, (): &()) -> Result<Next, Failed> {
        let vpcs = self.tables.list_all::<Vpc>("").await?;
        let subnets = self.tables.list_all::<Subnet>("").await?;
        let groups = self.tables.list_all::<SecurityGroup>("").await?;
        // Last: an interface is made after the groups that it is in.
        let interfaces = self.tables.list_all::<NetworkInterface>("").await?;
        let plan = plan(
            vpcs.iter().map(|row| &**row),
            subnets.iter().map(|row| &**row),
            groups.iter().map(|row| &**row),
            interfaces.iter().map(|row| &**row),
        );
        self.filter.apply(plan).await?;
        Ok(Next::Settled)
    }

    async fn keys(&self) -> Result<Vec<()>, Failed> {
        Ok(vec![()])
    }
}

#[cfg(test)]
mod tests;
