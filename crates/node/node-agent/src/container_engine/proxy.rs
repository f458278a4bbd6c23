//! The proxies of tasks with Service Connect.

use super::{ContainerEngine, chain, failed};
use crate::engine::EngineError;
use load_balancer::Started;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a proxy may take until it does what it is told.
const READY: Duration = Duration::from_secs(60);
/// The control group of a proxy beside those of the containers.
const GROUP: &str = "service-connect";

impl ContainerEngine {
    /// Starts the proxy of a sandbox and waits until it does what it is told.
    pub(super) async fn start_proxy(&self, sandbox: &str, namespace: &Path) -> Result<(), EngineError> {
        let failed = |error| EngineError(format!("the Service Connect proxy: {}", chain(&error)));
        self.proxies.start(sandbox, namespace, self.joining(sandbox)).await.map_err(failed)?;
        self.proxies.ready(sandbox, READY).await.map_err(failed)
    }

    /// Finds the proxy of an adopted sandbox, if it has one, or starts it again.
    pub(super) async fn find_proxy(&self, sandbox: &str) {
        if !self.proxies.has(sandbox) {
            return;
        }
        let found = match self.network.namespace(sandbox).map_err(failed) {
            Ok(namespace) => {
                let started = self.proxies.start(sandbox, &namespace, self.joining(sandbox)).await;
                started.map_err(|error| EngineError(chain(&error)))
            }
            Err(error) => Err(error),
        };
        if let Err(error) = found {
            tracing::error!(sandbox, %error, "the Service Connect proxy of an adopted sandbox is lost");
        }
    }

    /// Puts each process of a proxy beside the containers of its task.
    fn joining(&self, sandbox: &str) -> Started {
        let (runtime, sandbox) = (self.runtime.clone(), sandbox.to_owned());
        Arc::new(move |pid| {
            if let Err(error) = runtime.join(&sandbox, GROUP, pid) {
                tracing::warn!(
                    sandbox,
                    error = &error as &dyn std::error::Error,
                    "a proxy is outside of its task"
                );
            }
        })
    }
}
