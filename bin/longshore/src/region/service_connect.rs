//! The Service Connect proxies of this machine's tasks, for the controller that tells them what to do.

use controllers::service_connect::ProxyError;
use load_balancer::{ControlError, Proxies};
use load_balancing::{Configuration, Report};
use std::collections::BTreeMap;
use tokio::sync::watch;

/// The proxies of the host.
pub(super) struct HostProxies(pub(super) Proxies);

/// The text of an error with those of its sources.
fn failed(error: &ControlError) -> ProxyError {
    let first: &dyn std::error::Error = error;
    let causes = std::iter::successors(first.source(), |cause| cause.source());
    ProxyError(causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}")))
}

#[async_trait::async_trait]
impl controllers::service_connect::Proxies for HostProxies {
    async fn tasks(&self) -> BTreeMap<String, u64> {
        self.0.tasks().await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes()
    }

    async fn apply(&self, task: &str, configuration: &Configuration) -> Result<(), ProxyError> {
        match self.0.apply(task, configuration).await {
            // One that has gone meanwhile needs nothing.
            Ok(_) => Ok(()),
            Err(error) => Err(failed(&error)),
        }
    }

    async fn report(&self, task: &str) -> Result<Option<Report>, ProxyError> {
        self.0.report(task).await.map_err(|error| failed(&error))
    }
}
