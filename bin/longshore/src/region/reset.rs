//! Stopping all tasks, and emptying a region that is open to everybody.

use access::Caller;
use anyhow::{Result, bail};
use api_server::{HttpHandler, Response, full};
use audit_log::AuditLog;
use http::{Method, StatusCode};
use hyper::body::Incoming;
use metric_store::Metrics;
use resources::Stored;
use resources::access::AccessKey;
use resources::ecs::{DesiredStatus, Service, StopCode, Task, TaskStatus};
use std::time::Duration;
use store::{KeyRange, Op, RangeRequest, StoreError, Tables, Transaction};
use tokio::sync::Mutex;

/// Where the test suites of mocks ask for an empty region.
const PATH: &str = "/moto-api/reset";
/// How long tasks may take to stop, the longest stop timeout included.
const STOP_TIME: Duration = Duration::from_secs(150);
/// Rows deleted in one transaction.
const AT_ONCE: usize = 500;
/// Rows that a region keeps when it is emptied: its own secrets, its hosts, and the log streams whose groups are gone,
/// which the retention controller removes together with their events.
const KEPT: &[&str] = &["access/account/", "ecs/container-instance/", "logs/stream/"];

/// `POST /moto-api/reset`: stops every task, deletes every resource and forgets every record of a call. Served by open regions only.
pub(super) struct ResetHandler {
    tables: Tables,
    audit: AuditLog,
    metrics: Metrics,
    one_at_a_time: Mutex<()>,
}

impl ResetHandler {
    pub(super) fn new(tables: Tables, audit: AuditLog, metrics: Metrics) -> Self {
        Self { tables, audit, metrics, one_at_a_time: Mutex::new(()) }
    }

    async fn reset(&self) -> Result<()> {
        let _alone = self.one_at_a_time.lock().await;
        // Services first: they would replace the tasks.
        for service in self.tables.list_all::<Service>("").await? {
            self.tables.batch().delete_any::<Service>(&service.key()).commit().await?;
        }
        stop_tasks(&self.tables).await?;
        for key in self.tables.list_all::<AccessKey>("").await? {
            if key.principal_arn.contains(":user/") {
                self.tables.batch().delete_any::<AccessKey>(&key.key()).commit().await?;
            }
        }
        delete_rows(&self.tables).await?;
        self.audit.clear().await?;
        self.metrics.clear().await?;
        Ok(())
    }
}

#[async_trait::async_trait]
impl HttpHandler for ResetHandler {
    fn serves(&self, path: &str) -> bool {
        path == PATH
    }

    fn signing_name(&self) -> Option<&'static str> {
        None
    }

    async fn handle(&self, request: http::Request<Incoming>, _caller: Option<Caller>) -> Response {
        let (status, text) = if request.method() != Method::POST {
            (StatusCode::METHOD_NOT_ALLOWED, r#"{"status":"use POST"}"#)
        } else if let Err(error) = self.reset().await {
            tracing::error!(error = format!("{error:#}"), "cannot empty the region");
            (StatusCode::INTERNAL_SERVER_ERROR, r#"{"status":"failed"}"#)
        } else {
            (StatusCode::OK, r#"{"status":"ok"}"#)
        };
        let mut answer = http::Response::new(full(text));
        *answer.status_mut() = status;
        answer
    }
}

async fn delete_rows(tables: &Tables) -> Result<(), StoreError> {
    let keys = format!("{}/", AccessKey::TABLE);
    let kept = |key: &str| key.starts_with(&keys) || KEPT.iter().any(|kept| key.starts_with(kept));
    let mut after = None;
    loop {
        let range = KeyRange::Prefix("".into());
        let found =
            tables.store().range(RangeRequest { range, after, limit: AT_ONCE, revision: None }).await?;
        let gone = found.items.iter().filter(|row| !kept(&row.key));
        let success = gone.map(|row| Op::Delete(KeyRange::Key(row.key.clone()))).collect::<Vec<_>>();
        if !success.is_empty() {
            tables.store().transact(Transaction { success, ..Transaction::default() }).await?;
        }
        after = found.items.last().map(|last| last.key.clone());
        if !found.more {
            return Ok(());
        }
    }
}

/// Wants every task stopped and waits for it.
pub(super) async fn stop_tasks(tables: &Tables) -> Result<()> {
    let environment = tables.environment();
    let deadline = environment.now() + STOP_TIME;
    loop {
        let tasks = tables.list_all::<Task>("").await?;
        let left: Vec<_> = tasks.iter().filter(|task| task.last_status != TaskStatus::Stopped).collect();
        if left.is_empty() {
            return Ok(());
        }
        let now = environment.now();
        if now > deadline {
            bail!("{} tasks did not stop in time", left.len());
        }
        let is_to_go =
            |task: &Task| task.desired_status == DesiredStatus::Running || !task.targets.is_empty();
        for task in left.iter().filter(|task| is_to_go(task)) {
            let stop = |old: &Task| {
                let mut new = old.clone();
                // Load balancers go, too, so there is nothing to drain.
                new.targets.clear();
                new.want_stop(StopCode::UserInitiated, "The region was stopped with its tasks", now);
                Ok::<_, StoreError>(Some(new))
            };
            tables.update(&task.value.key(), stop).await?;
        }
        environment.sleep(Duration::from_millis(20)).await;
    }
}
