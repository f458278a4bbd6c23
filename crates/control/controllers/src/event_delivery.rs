//! Brings what is in the outbox to its targets.
//!
//! A row goes when its target has taken it or when it is given up: a refusal that will not change, or too many attempts
//! or too much time by the target's retry policy. A kill between the taking and the going repeats a delivery, so each
//! is made at least once; the id of the row goes along, for targets that can tell a repetition.

use crate::feed::Seen;
use event_outbox::Outbox;
use reconcile::{Next, Queue, Reconciler};
use resources::Stored;
use resources::events::Delivery;
use std::sync::Arc;
use std::time::Duration;
use store::StoreError;

/// Wait after the first failure; doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Longest wait: with it, 185 attempts take the 24 hours that AWS gives them.
const LONGEST_WAIT: Duration = Duration::from_secs(480);
/// Most characters of a reason that are kept.
const REASON: usize = 500;

/// Calls targets.
#[async_trait::async_trait]
pub trait Targets: Send + Sync + 'static {
    /// Brings a delivery to its target. It ends in bounded time.
    async fn invoke(&self, delivery: &Delivery) -> Result<(), TargetError>;
}

/// Why a target did not take a delivery.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It will not take it later either: no permission, no such target, a bad request.
    #[error("{0}")]
    Refused(String),
    /// It may take it later.
    #[error("{reason}")]
    Failed {
        /// What happened.
        reason: String,
        /// When the target wants to be asked again at the earliest.
        after: Option<Duration>,
    },
}

/// The controller.
pub struct EventDelivery {
    outbox: Outbox,
    targets: Arc<dyn Targets>,
    queue: Queue<String>,
}

impl EventDelivery {
    /// Over an outbox.
    pub fn new(outbox: Outbox, targets: Arc<dyn Targets>, queue: Queue<String>) -> Self {
        Self { outbox, targets, queue }
    }

    /// There is something to deliver.
    pub(crate) fn see(&self, seen: &Seen<Delivery>) {
        if let Seen::Row(row) = seen {
            self.queue.nudge(row.key());
        }
    }

    /// Takes a row out.
    async fn remove(&self, row: &store::Versioned<Delivery>) -> Result<(), StoreError> {
        self.outbox.tables().batch().delete_any::<Delivery>(&row.key()).commit().await?;
        self.outbox.release(1);
        Ok(())
    }

    fn wait(&self, failures: u32, asked: Option<Duration>) -> Duration {
        let factor = 1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let wait = FIRST_WAIT.saturating_mul(factor).min(LONGEST_WAIT);
        // Up to a quarter more or less, so that what failed together does not come together again.
        let mut random = [0u8];
        self.outbox.tables().environment().fill_random(&mut random);
        let wait = wait.mul_f64(0.75 + f64::from(random[0]) / 512.0);
        asked.map_or(wait, |asked| asked.max(wait))
    }
}

impl Reconciler for EventDelivery {
    type Key = String;
    type Error = StoreError;

    async fn reconcile(&self, key: &String) -> Result<Next, StoreError> {
        let tables = self.outbox.tables();
        let Some(row) = tables.get::<Delivery>(key).await? else { return Ok(Next::Settled) };
        let now = tables.environment().now();
        if now < row.next_at {
            return Ok(Next::After(row.next_at.since(now)));
        }
        let failed = match self.targets.invoke(&row).await {
            Ok(()) => {
                self.remove(&row).await?;
                return Ok(Next::Settled);
            }
            Err(failed) => failed,
        };
        let attempts = row.attempts.saturating_add(1);
        let now = tables.environment().now();
        let (after, refused) = match &failed {
            TargetError::Refused(_) => (None, true),
            TargetError::Failed { after, .. } => (*after, false),
        };
        let next_at = now + self.wait(attempts, after);
        let deadline = row.accepted_at + Duration::from_secs(row.target.retry.age.into());
        if refused || attempts > row.target.retry.attempts || next_at > deadline {
            let (source, target) = (&row.source_arn, &row.target.arn);
            tracing::warn!(source, target, event = row.event_id, attempts, reason = %failed, "an event is given up");
            self.remove(&row).await?;
            return Ok(Next::Settled);
        }
        let reason: String = failed.to_string().chars().take(REASON).collect();
        let new = Delivery { attempts, next_at, failure: Some(reason), ..(*row.value).clone() };
        tables.replace(&row, new).await?;
        Ok(Next::After(next_at.since(now)))
    }

    async fn keys(&self) -> Result<Vec<String>, StoreError> {
        self.outbox.count().await?;
        // Rows that wait have their timers; the feed has shown all of them.
        Ok(vec![])
    }
}

#[cfg(test)]
mod tests;
