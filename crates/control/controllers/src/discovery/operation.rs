//! Forgets operations of Cloud Map a week after they were done.

use environment::Timestamp;
use reconcile::{Next, Reconciler};
use resources::Stored;
use resources::discovery::Operation;
use std::time::Duration;
use store::{StoreError, Tables};

/// How long an operation can be asked for.
const KEEP: Duration = Duration::from_secs(7 * 24 * 3600);

/// The controller.
pub struct OperationController {
    tables: Tables,
}

impl OperationController {
    /// Over the region's rows.
    pub fn new(tables: Tables) -> Self {
        Self { tables }
    }
}

fn is_over(operation: &Operation, now: Timestamp) -> bool {
    now >= operation.created_at + KEEP
}

impl Reconciler for OperationController {
    type Key = String;
    type Error = StoreError;

    async fn reconcile(&self, key: &String) -> Result<Next, StoreError> {
        if let Some(operation) = self.tables.get::<Operation>(key).await?
            && is_over(&operation, self.tables.environment().now())
        {
            self.tables.delete(&operation).await?;
        }
        Ok(Next::Settled)
    }

    /// Only those that shall go; the others come by at a later sweep.
    async fn keys(&self) -> Result<Vec<String>, StoreError> {
        let now = self.tables.environment().now();
        let mut operations = self.tables.list_all::<Operation>("").await?;
        operations.retain(|operation| is_over(operation, now));
        Ok(operations.iter().map(|operation| operation.key()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::Environment;
    use resources::discovery::{OperationKind, TargetKind};
    use store::MemoryStore;

    #[tokio::test]
    async fn an_operation_goes_after_a_week() {
        let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(0), 1);
        let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
        let operation = Operation {
            account: "123456789012".parse().expect("an account"),
            id: "a-b".to_owned(),
            kind: OperationKind::RegisterInstance,
            targets: vec![(TargetKind::Instance, "i".to_owned())],
            created_at: environment.now(),
        };
        let key = tables.create(operation).await.expect("creates").key();
        let controller = OperationController::new(tables.clone());
        controller.reconcile(&key).await.expect("reconciles");
        assert!(controller.keys().await.expect("lists").is_empty());
        simulation.advance(KEEP);
        assert_eq!(controller.keys().await.expect("lists"), std::slice::from_ref(&key));
        controller.reconcile(&key).await.expect("reconciles");
        assert!(tables.get::<Operation>(&key).await.expect("reads").is_none());
    }
}
