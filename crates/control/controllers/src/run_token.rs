//! Forgets the client tokens of RunTask a day after they were used, as AWS does.

use environment::Timestamp;
use reconcile::{Next, Reconciler};
use resources::Stored;
use resources::ecs::RunToken;
use std::time::Duration;
use store::{StoreError, Tables};

/// How long a token keeps RunTask from starting tasks anew.
const KEEP: Duration = Duration::from_secs(24 * 3600);

/// The controller.
pub struct RunTokenController {
    tables: Tables,
}

impl RunTokenController {
    /// Over the region's rows.
    pub fn new(tables: Tables) -> Self {
        Self { tables }
    }
}

/// Whether a token has had its time.
fn is_over(token: &RunToken, now: Timestamp) -> bool {
    now >= token.created_at + KEEP
}

impl Reconciler for RunTokenController {
    type Key = String;
    type Error = StoreError;

    async fn reconcile(&self, key: &String) -> Result<Next, StoreError> {
        if let Some(token) = self.tables.get::<RunToken>(key).await?
            && is_over(&token, self.tables.environment().now())
        {
            self.tables.delete(&token).await?;
        }
        Ok(Next::Settled)
    }

    /// Only those that shall go; the others come by at a later sweep.
    async fn keys(&self) -> Result<Vec<String>, StoreError> {
        let now = self.tables.environment().now();
        let mut tokens = self.tables.list_all::<RunToken>("").await?;
        tokens.retain(|token| is_over(token, now));
        Ok(tokens.iter().map(|token| token.key()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::Environment;
    use store::MemoryStore;

    #[tokio::test]
    async fn a_token_goes_after_a_day() {
        let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(0), 1);
        let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
        let token = RunToken {
            account: "123456789012".parse().expect("an account"),
            cluster: "default".to_owned(),
            token: "t".to_owned(),
            parameters: String::new(),
            tasks: Vec::new(),
            lacks: Vec::new(),
            created_at: environment.now(),
        };
        let key = tables.create(token).await.expect("creates").key();
        let controller = RunTokenController::new(tables.clone());
        controller.reconcile(&key).await.expect("reconciles");
        assert!(controller.keys().await.expect("lists").is_empty());
        simulation.advance(KEEP);
        assert_eq!(controller.keys().await.expect("lists"), std::slice::from_ref(&key));
        controller.reconcile(&key).await.expect("reconciles");
        assert!(tables.get::<RunToken>(&key).await.expect("reads").is_none());
    }
}
