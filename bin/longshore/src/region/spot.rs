//! `POST /_longshore/spot`: takes spare capacity back, as AWS does with Fargate Spot; `longshore spot interrupt` asks it.

use access::{Caller, CallerKind};
use api_server::{HttpHandler, Response, full};
use environment::Environment;
use http::{Method, StatusCode};
use hyper::body::Incoming;
use identifiers::AccountId;
use percent_encoding::percent_decode_str;
use resources::Stored;
use resources::ecs::{DesiredStatus, StopCode, Task, TaskStatus};
use serde_json::json;
use store::{StoreError, Tables};

/// Where it is asked for.
pub(crate) const PATH: &str = "/_longshore/spot";
/// The capacity provider whose tasks can be taken back.
const PROVIDER: &str = "FARGATE_SPOT";
/// What a task shows then, as on AWS.
const REASON: &str = "Your Spot Task was interrupted.";

/// Which tasks are meant: all of spare capacity, or fewer.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    cluster: Option<String>,
    service: Option<String>,
    task: Option<String>,
    count: Option<usize>,
}

impl Wanted {
    /// Reads a query; `None` when it says something else.
    fn read(query: &str) -> Option<Self> {
        let mut wanted = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=')?;
            let value = percent_decode_str(value).decode_utf8().ok()?.into_owned();
            match name {
                "cluster" => wanted.cluster = Some(value),
                "service" => wanted.service = Some(value),
                "task" => wanted.task = Some(value),
                "count" => wanted.count = Some(value.parse().ok()?),
                _ => return None,
            }
        }
        Some(wanted)
    }
}

/// Serves it.
pub(super) struct SpotHandler {
    tables: Tables,
    owner: AccountId,
    environment: Environment,
}

impl SpotHandler {
    pub(super) fn new(tables: Tables, owner: AccountId, environment: Environment) -> Self {
        Self { tables, owner, environment }
    }

    /// Tells the tasks to stop, and returns their keys. Their containers get SIGTERM, and SIGKILL after their
    /// `stopTimeout`, which is two minutes at most.
    async fn interrupt(&self, wanted: &Wanted) -> Result<Vec<String>, StoreError> {
        let mut tasks = self.tables.list_all::<Task>("").await?;
        tasks.retain(|task| {
            let is = |wanted: &Option<String>, own: &str| wanted.as_ref().is_none_or(|wanted| wanted == own);
            task.capacity_provider.as_deref() == Some(PROVIDER)
                && task.desired_status == DesiredStatus::Running
                && task.last_status <= TaskStatus::Running
                && is(&wanted.cluster, &task.cluster)
                && is(&wanted.service, task.service.as_deref().unwrap_or_default())
                && is(&wanted.task, &task.id)
        });
        let mut interrupted = Vec::new();
        for task in tasks.iter().take(wanted.count.unwrap_or(usize::MAX)) {
            let (key, now) = (task.key(), self.environment.now());
            let stopped = self.tables.update(&key, |old: &Task| {
                if old.desired_status == DesiredStatus::Stopped {
                    return Ok::<_, StoreError>(None);
                }
                let mut new = old.clone();
                new.want_stop(StopCode::SpotInterruption, REASON, now);
                Ok(Some(new))
            });
            if stopped.await?.is_some_and(|task| task.stop_code == Some(StopCode::SpotInterruption)) {
                interrupted.push(key);
            }
        }
        Ok(interrupted)
    }

    async fn answer(
        &self,
        request: &http::Request<Incoming>,
        caller: Option<&Caller>,
    ) -> (StatusCode, String) {
        let is_owner =
            caller.is_some_and(|caller| caller.kind == CallerKind::Root && caller.account == self.owner);
        if !is_owner {
            return (
                StatusCode::FORBIDDEN,
                "only the root of the region's own account takes capacity back".into(),
            );
        }
        if request.method() != Method::POST {
            return (StatusCode::METHOD_NOT_ALLOWED, "use POST".into());
        }
        let Some(wanted) = Wanted::read(request.uri().query().unwrap_or_default()) else {
            return (StatusCode::BAD_REQUEST, "write cluster, service, task or count".into());
        };
        match self.interrupt(&wanted).await {
            Ok(tasks) => (StatusCode::OK, json!({"tasks": tasks}).to_string()),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot take capacity back");
                (StatusCode::INTERNAL_SERVER_ERROR, "the tasks cannot be written".into())
            }
        }
    }
}

#[async_trait::async_trait]
impl HttpHandler for SpotHandler {
    fn serves(&self, path: &str) -> bool {
        path == PATH
    }

    fn signing_name(&self) -> Option<&'static str> {
        Some(super::accounts::SIGNING_NAME)
    }

    async fn handle(&self, request: http::Request<Incoming>, caller: Option<Caller>) -> Response {
        let (status, text) = self.answer(&request, caller.as_ref()).await;
        let mut answer = http::Response::new(full(text));
        *answer.status_mut() = status;
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_say_which_tasks() {
        let read = Wanted::read("service=a%2Fb&count=2").expect("is right");
        assert_eq!(read, Wanted { service: Some("a/b".into()), count: Some(2), ..Wanted::default() });
        assert_eq!(Wanted::read(""), Some(Wanted::default()));
        for wrong in ["count=x", "servic=web", "service"] {
            assert_eq!(Wanted::read(wrong), None, "{wrong}");
        }
    }
}
