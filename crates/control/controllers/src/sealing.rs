//! Seals stored values anew when the region's key changed, and drops keys that nothing needs any more.
//!
//! A key is added by another process (`longshore keys rotate`), so the ring is read again every few seconds. The new
//! key seals from then on; this controller goes through every row that holds a sealed value and seals what is left
//! under older keys. Those are dropped once they were superseded for [`KEPT`] and a whole pass found nothing under
//! them: session tokens are sealed too, live up to 36 hours, and are stored nowhere.

use encryption::{KeyFileError, KeyId, KeyRing, OpenError};
use parking_lot::Mutex;
use reconcile::{Next, Reconciler};
use resources::Stored;
use resources::access::AccessKey;
use resources::events::Connection;
use resources::iam::{MfaDevice, ServerCertificate};
use resources::sealed::{SealedText, Sealing};
use resources::secrets::SecretVersion;
use resources::ssm::ParameterVersion;
use std::time::Duration;
use store::{Page, StoreError, Tables};

/// How long a superseded key still opens.
pub const KEPT: Duration = Duration::from_secs(48 * 3600);
/// Rows read at a time.
const AT_ONCE: usize = 500;

/// The controller.
pub struct SealingController {
    tables: Tables,
    keys: KeyRing,
    /// The key under which the last whole pass found every row.
    settled: Mutex<Option<KeyId>>,
}

/// Why a pass failed.
#[derive(Debug, thiserror::Error)]
pub enum SealingError {
    /// The rows failed.
    #[error("sealing rows anew: {0}")]
    Store(#[from] StoreError),
    /// The file of keys failed.
    #[error("reading the region's keys: {0}")]
    Keys(#[from] KeyFileError),
    /// Rows that no key of the ring opens; their keys are kept.
    #[error("{count} stored values do not open, the first is {key}: {source}")]
    Unopened {
        /// How many.
        count: usize,
        /// Key of the first row.
        key: String,
        /// Why it does not open.
        source: OpenError,
    },
}

/// The region's only key of this controller: its ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ring;

impl SealingController {
    /// Over the region's rows and keys.
    pub fn new(tables: Tables, keys: KeyRing) -> Self {
        Self { tables, keys, settled: Mutex::new(None) }
    }

    /// Whether every row must be looked at: after a rotation, and before keys are dropped.
    fn is_due(&self) -> bool {
        let keys = self.keys.list();
        let ([_, second, ..], [.., newest]) = (&keys[..], &keys[..]) else { return false };
        let droppable = second.created_at + KEPT <= self.tables.environment().now();
        droppable || *self.settled.lock() != Some(newest.id)
    }

    /// Seals every row of a table that is not sealed with the newest key.
    async fn pass<T: Stored + Sealing>(
        &self,
        unopened: &mut Vec<(String, OpenError)>,
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let listing = self.tables.list::<T>("", Page { after, limit: AT_ONCE }).await?;
            for row in listing.items.iter().filter(|row| !self.keys.is_current(row.sealed().as_str())) {
                let opened = match self.keys.open(&row.purpose(), row.sealed().as_str()) {
                    Ok(opened) => opened,
                    Err(error) => {
                        unopened.push((row.key(), error));
                        continue;
                    }
                };
                let sealed = SealedText::new(self.keys.seal(&row.purpose(), &opened));
                match self.tables.replace(row, row.with_sealed(sealed)).await {
                    // Changed or deleted meanwhile: whoever did it sealed with the newest key.
                    Ok(_) | Err(StoreError::Conflict(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            after = listing.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

impl Reconciler for SealingController {
    type Key = Ring;
    type Error = SealingError;

    async fn reconcile(&self, _: &Ring) -> Result<Next, SealingError> {
        if self.keys.reload()? {
            tracing::info!(keys = ?self.keys.list(), "the region's keys changed");
        }
        if !self.is_due() {
            return Ok(Next::Settled);
        }
        let newest = self.keys.list().last().map(|key| key.id);
        let mut unopened = Vec::new();
        self.pass::<SecretVersion>(&mut unopened).await?;
        self.pass::<ParameterVersion>(&mut unopened).await?;
        self.pass::<AccessKey>(&mut unopened).await?;
        self.pass::<MfaDevice>(&mut unopened).await?;
        self.pass::<ServerCertificate>(&mut unopened).await?;
        self.pass::<Connection>(&mut unopened).await?;
        let count = unopened.len();
        if let Some((key, source)) = unopened.into_iter().next() {
            return Err(SealingError::Unopened { count, key, source });
        }
        *self.settled.lock() = newest;
        for key in self.keys.retire(KEPT)? {
            tracing::info!(id = %key.id, "dropped a key that nothing is sealed under");
        }
        Ok(Next::Settled)
    }

    async fn keys(&self) -> Result<Vec<Ring>, SealingError> {
        Ok(vec![Ring])
    }
}

#[cfg(test)]
mod tests;
