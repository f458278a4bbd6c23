//! `GET /_longshore/hosts`: what the hosts lend and what tasks reserve of it; `longshore status` asks it.

use access::{Caller, CallerKind};
use api_server::{HttpHandler, Response, full};
use http::{Method, StatusCode};
use hyper::body::Incoming;
use identifiers::AccountId;
use serde_json::{Value, json};
use task_placements::Placements;

/// Where it is asked for.
pub(crate) const PATH: &str = "/_longshore/hosts";

/// Serves it.
pub(super) struct HostsHandler {
    placements: Placements,
    owner: AccountId,
}

impl HostsHandler {
    pub(super) fn new(placements: Placements, owner: AccountId) -> Self {
        Self { placements, owner }
    }

    fn answer(&self, method: &Method, caller: Option<&Caller>) -> (StatusCode, String) {
        let is_owner =
            caller.is_some_and(|caller| caller.kind == CallerKind::Root && caller.account == self.owner);
        if !is_owner {
            return (
                StatusCode::FORBIDDEN,
                "only the root of the region's own account sees its hosts".into(),
            );
        }
        if method != Method::GET {
            return (StatusCode::METHOD_NOT_ALLOWED, "use GET".into());
        }
        let hosts = self.placements.hosts().into_iter().map(|room| {
            json!({
                "id": room.host.rsplit('/').next(),
                "tasks": room.tasks,
                "cpu": {"lent": room.lends.cpu, "reserved": room.reserved.cpu},
                "memory": {"lent": room.lends.memory, "reserved": room.reserved.memory},
            })
        });
        (StatusCode::OK, json!({"hosts": hosts.collect::<Vec<Value>>()}).to_string())
    }
}

#[async_trait::async_trait]
impl HttpHandler for HostsHandler {
    fn serves(&self, path: &str) -> bool {
        path == PATH
    }

    fn signing_name(&self) -> Option<&'static str> {
        Some(super::accounts::SIGNING_NAME)
    }

    async fn handle(&self, request: http::Request<Incoming>, caller: Option<Caller>) -> Response {
        let (status, text) = self.answer(request.method(), caller.as_ref());
        let mut answer = http::Response::new(full(text));
        *answer.status_mut() = status;
        answer
    }
}
