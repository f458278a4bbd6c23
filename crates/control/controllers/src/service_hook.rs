//! Asks the functions that deployments wait for.
//!
//! Where AWS would call a function, the region posts the same payload to the endpoint that is named for it. What the
//! endpoint says is written into the row of the service, and the service controller goes on from there. A call that
//! the end of the region interrupts is made again, so a function may be called twice, as on AWS.

mod answer;
mod payload;

use crate::feed::Seen;
use answer::{Answer, read};
use identifiers::Region;
use payload::payload;
use reconcile::{Next, Queue, Reconciler};
use resources::Stored;
use resources::ecs::{HookEndpoint, HookRun, HookStatus, HookTarget, Service, ServiceStatus};
use std::sync::Arc;
use std::time::Duration;
use store::{StoreError, Tables};
use tokio_util::sync::CancellationToken;

/// How endpoints are called.
#[async_trait::async_trait]
pub trait HookCaller: Send + Sync {
    /// Posts a JSON text to a URL and returns the JSON text of the answer, or why there is none.
    async fn call(&self, url: &str, payload: String) -> Result<String, String>;
}

/// The controller.
pub struct ServiceHookController {
    tables: Tables,
    region: Region,
    caller: Arc<dyn HookCaller>,
    queue: Queue<String>,
    shutdown: CancellationToken,
}

impl ServiceHookController {
    /// Over the region's rows.
    pub fn new(
        tables: Tables,
        region: Region,
        caller: Arc<dyn HookCaller>,
        queue: Queue<String>,
        shutdown: CancellationToken,
    ) -> Self {
        Self { tables, region, caller, queue, shutdown }
    }

    /// Queues a service that waits for a function.
    pub(crate) fn see(&self, seen: &Seen<Service>) {
        if let Seen::Row(row) = seen
            && calls(row).next().is_some()
        {
            self.queue.nudge(row.key());
        }
    }

    async fn ask(
        &self,
        service: &Service,
        run: &HookRun,
        function: &str,
    ) -> Result<Option<Answer>, StoreError> {
        let Some(endpoint) = self.tables.get::<HookEndpoint>(function).await? else {
            let reason = format!("No endpoint is named for the lifecycle hook {function}.");
            return Ok(Some(Answer::failed(reason)));
        };
        let payload = payload(&self.region, service, run);
        let called = tokio::select! {
            () = self.shutdown.cancelled() => return Ok(None),
            called = self.caller.call(&endpoint.url, payload) => called,
        };
        let now = self.tables.environment().now();
        Ok(Some(match called {
            Ok(text) => read(&text, now),
            Err(why) => Answer::failed(format!("The lifecycle hook {function} failed: {why}.")),
        }))
    }

    async fn note(&self, key: &str, run: &HookRun, answer: &Answer) -> Result<(), StoreError> {
        let noted = self.tables.update(key, |old: &Service| {
            let mut new = old.clone();
            let own = new.lifecycle.iter_mut().flat_map(|own| &mut own.hooks).find(|own| own.id == run.id);
            let Some(own) = own.filter(|own| own.status == HookStatus::InProgress) else {
                return Ok::<_, StoreError>(None);
            };
            own.status = answer.status;
            own.next_at = answer.next_at.unwrap_or(own.next_at);
            own.reason.clone_from(&answer.reason);
            if answer.details.is_some() {
                own.details.clone_from(&answer.details);
            }
            Ok(Some(new))
        });
        noted.await.map(|_| ())
    }
}

/// Calls that a service waits for.
fn calls(service: &Service) -> impl Iterator<Item = (&HookRun, &str)> {
    let is_active = service.status == ServiceStatus::Active;
    let runs = service.lifecycle.iter().filter(move |_| is_active).flat_map(|own| &own.hooks);
    runs.filter_map(|run| match &run.target {
        HookTarget::Function { arn, .. } if run.status == HookStatus::InProgress => Some((run, arn.as_str())),
        HookTarget::Function { .. } | HookTarget::Pause => None,
    })
}

impl Reconciler for ServiceHookController {
    type Key = String;
    type Error = StoreError;

    async fn reconcile(&self, key: &String) -> Result<Next, StoreError> {
        let Some(service) = self.tables.get::<Service>(key).await? else { return Ok(Next::Settled) };
        let now = self.tables.environment().now();
        let mut wait: Option<Duration> = None;
        for (run, function) in calls(&service) {
            let left = run.next_at.since(now);
            if !left.is_zero() {
                wait = Some(wait.map_or(left, |wait| wait.min(left)));
                continue;
            }
            let Some(answer) = self.ask(&service, run, function).await? else { return Ok(Next::Settled) };
            self.note(key, run, &answer).await?;
            // The row is another now, and what it says of the others may be, too.
            return Ok(Next::After(Duration::ZERO));
        }
        Ok(wait.map_or(Next::Settled, Next::After))
    }

    async fn keys(&self) -> Result<Vec<String>, StoreError> {
        let services = self.tables.list_all::<Service>("").await?;
        let waiting = services.iter().filter(|service| calls(service).next().is_some());
        Ok(waiting.map(|service| service.key()).collect())
    }
}

#[cfg(test)]
mod tests;
