//! Makes what express services need beside their service, and takes it away after them: a load balancer that up to 25 of
//! them share, its listener and security group, and for each service a rule, two target groups, a certificate, a
//! security group and a log group.
//!
//! Everything that is an operation of this region is called with the infrastructure role of the service, really assumed,
//! through the region's own listener: so it is authorized, validated and recorded as any other call. What such a call
//! has made is found again in the rows by its name, which is chosen before; so one that was interrupted is not made
//! twice. When all is there, the deployment of the newest configuration begins, and from then on the service is like any
//! other. Of a service that is deleted the tasks end first.
//!
//! Log groups and task definitions stay, as on AWS.

mod apply;
mod calls;
mod observe;
mod plan;
#[cfg(test)]
mod tests;

use crate::feed::Seen;
use async_trait::async_trait;
pub use calls::{Body, Call};
use encryption::KeyRing;
use environment::Timestamp;
use identifiers::Region;
use reconcile::{Next, Queue, Reconciler};
use resources::Stored;
use resources::ecs::{ExpressService, Service};
use std::sync::Arc;
use std::time::Duration;
use store::{StoreError, Tables};

/// Shortest and longest wait after something could not be made; in between as long as it has not worked by now.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Who acts: the role of an express service, for that service.
#[derive(Clone, Debug)]
pub struct Acting {
    /// ARN of the infrastructure role.
    pub role: String,
    /// ARN of the service.
    pub service: String,
}

/// How express services have things made.
#[async_trait]
pub trait Infrastructure: Send + Sync {
    /// Calls an operation of this region.
    async fn call(&self, acting: &Acting, call: &Call) -> Result<(), Refusal>;

    /// Whether the role may do what is no operation here, on a resource with these tags.
    async fn may(
        &self,
        acting: &Acting,
        action: &str,
        resource: &str,
        tags: &[(&str, &str)],
    ) -> Result<(), Refusal>;

    /// A certificate for a name that nobody but itself vouches for.
    fn certificate(&self, name: &str, now: Timestamp) -> Result<NewCertificate, Refusal>;
}

/// A certificate with its private key, both in PEM.
pub struct NewCertificate {
    /// The certificate.
    pub body: String,
    /// The private key.
    pub private_key: zeroize::Zeroizing<String>,
    /// Until when it is valid.
    pub expires_at: Timestamp,
}

/// Why something was not made, as it is shown: a code and a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// The controller.
pub struct ExpressController {
    tables: Tables,
    keys: KeyRing,
    region: Region,
    infrastructure: Arc<dyn Infrastructure>,
    queue: Queue<String>,
}

impl ExpressController {
    /// Over the region's rows.
    pub fn new(
        tables: Tables,
        keys: KeyRing,
        region: Region,
        infrastructure: Arc<dyn Infrastructure>,
        queue: Queue<String>,
    ) -> Self {
        Self { tables, keys, region, infrastructure, queue }
    }

    pub(crate) fn see(&self, seen: &Seen<ExpressService>) {
        if let Seen::Row(row) = seen {
            self.queue.nudge(row.key());
        }
    }

    pub(crate) fn see_service(&self, seen: &Seen<Service>) {
        match seen {
            Seen::Row(row) if row.express => self.queue.nudge(row.key()),
            Seen::Gone(key) => self.queue.nudge(key.clone()),
            Seen::Row(_) | Seen::Anew => {}
        }
    }
}

impl Reconciler for ExpressController {
    type Key = String;
    type Error = StoreError;

    async fn reconcile(&self, key: &String) -> Result<Next, StoreError> {
        let Some(seen) = self.observe(key).await? else { return Ok(Next::Settled) };
        let now = self.tables.environment().now();
        let Some(step) = plan::next(&seen, now) else { return Ok(Next::Settled) };
        match self.apply(&seen, step).await {
            Ok(()) => {
                self.forget_trouble(&seen).await?;
                Ok(Next::After(Duration::ZERO))
            }
            Err(StepError::Store(error)) if error.is_conflict() => Ok(Next::After(Duration::ZERO)),
            Err(StepError::Store(error)) => Err(error),
            Err(StepError::Refused(refusal)) => {
                let since = self.note_trouble(&seen, &refusal, now).await?;
                Ok(Next::After(now.since(since).clamp(RETRY.0, RETRY.1)))
            }
        }
    }

    async fn keys(&self) -> Result<Vec<String>, StoreError> {
        let rows = self.tables.list_all::<ExpressService>("").await?;
        Ok(rows.iter().map(|row| row.key()).collect())
    }
}
