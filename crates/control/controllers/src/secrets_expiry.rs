//! Removes secrets past the end of their recovery window, parameters past their expiration, and values whose secret or
//! parameter is gone.
//!
//! One key stands for the whole region: the work is a sweep once in a while, and nothing waits for it, because
//! operations do not find what is past its date anyway.

mod plan;

use plan::{Observed, plan};
use reconcile::{Next, Reconciler};
use resources::Stored;
use resources::secrets::{Secret, SecretVersion};
use resources::ssm::{Parameter, ParameterVersion};
use store::{StoreError, Tables, Versioned};

/// The controller.
pub struct SecretsExpiry {
    tables: Tables,
}

/// The region's only key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EverySecret;

impl SecretsExpiry {
    /// Over the region's rows.
    pub fn new(tables: Tables) -> Self {
        Self { tables }
    }

    /// Values are read before what they belong to: both are written in one transaction, so a value that was there is
    /// of a secret that is there, unless the value is gone by then.
    async fn observe(&self) -> Result<Observed, StoreError> {
        Ok(Observed {
            values: self.tables.list_all("").await?,
            parameter_values: self.tables.list_all("").await?,
            secrets: self.tables.list_all("").await?,
            parameters: self.tables.list_all("").await?,
        })
    }

    /// Deletes rows that are as they were read; others are left to the next sweep.
    async fn delete<T: Stored>(&self, rows: &[Versioned<T>]) -> Result<(), StoreError> {
        for row in rows {
            match self.tables.delete(row).await {
                Ok(()) | Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Reconciler for SecretsExpiry {
    type Key = EverySecret;
    type Error = StoreError;

    async fn reconcile(&self, _: &EverySecret) -> Result<Next, StoreError> {
        let gone = plan(self.observe().await?, self.tables.environment().now());
        // First what names the values, then the values: a crash in between leaves what the next sweep finds.
        self.delete::<Secret>(&gone.secrets).await?;
        self.delete::<Parameter>(&gone.parameters).await?;
        self.delete::<SecretVersion>(&gone.values).await?;
        self.delete::<ParameterVersion>(&gone.parameter_values).await?;
        Ok(Next::Settled)
    }

    async fn keys(&self) -> Result<Vec<EverySecret>, StoreError> {
        Ok(vec![EverySecret])
    }
}

#[cfg(test)]
mod tests;
