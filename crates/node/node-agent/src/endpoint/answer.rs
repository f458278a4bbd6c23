//! Which answer belongs to which path.

use super::Endpoint;
use crate::roles::RoleKind;
use crate::task::record::Life;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;

/// How long a request waits for what is on its way: credentials after a restart, the start of the asking container.
const ARRIVAL_TIME: Duration = Duration::from_secs(4);
/// Headers that proxies add. An application that forwards what strangers ask for must not hand out credentials.
const PROXY_HEADERS: [&str; 3] = ["x-forwarded-for", "forwarded", "via"];

/// Version of the metadata endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V3,
    V4,
}

/// The published agent's form of an error about credentials.
#[derive(Serialize)]
struct Refusal {
    code: &'static str,
    message: String,
    #[serde(rename = "HTTPErrorCode")]
    status: u16,
}

pub(super) type Answer = Response<Full<Bytes>>;

impl Endpoint {
    pub(super) async fn answer<B>(&self, request: &Request<B>) -> Answer {
        if request.method() != Method::GET {
            return refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "Only GET is answered here");
        }
        if PROXY_HEADERS.iter().any(|name| request.headers().contains_key(*name)) {
            return refusal(
                StatusCode::FORBIDDEN,
                "ForwardedRequest",
                "Requests that came through a proxy are not answered",
            );
        }
        let path = request.uri().path();
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        match parts[..] {
            ["v2", "credentials"] => refusal(
                StatusCode::BAD_REQUEST,
                "NoIdInRequest",
                "CredentialsV2Request: No Credential ID in the request",
            ),
            ["v2", "credentials", id] => self.credentials(id).await,
            ["v3", container, ref what @ ..] => self.metadata(Version::V3, container, what).await,
            ["v4", container, ref what @ ..] => self.metadata(Version::V4, container, what).await,
            _ => text(StatusCode::NOT_FOUND, "404 page not found"),
        }
    }

    /// Answers a request below `/api/`.
    pub(super) async fn api(&self, method: &Method, path: &str, body: &[u8]) -> Answer {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        match parts[..] {
            ["api", container, "task-protection", "v1", "state"] => {
                self.protection(method, container, body).await
            }
            ["api", container, "fault", "v1", fault, action] => {
                self.fault(method, container, (fault, action), body).await
            }
            _ => text(StatusCode::NOT_FOUND, "404 page not found"),
        }
    }

    async fn credentials(&self, id: &str) -> Answer {
        // The id of the execution role's is never told; only the task's own role is served.
        if self
            .task
            .role
            .as_ref()
            .is_none_or(|role| role.credentials_id.is_empty() || role.credentials_id != id)
        {
            return refusal(
                StatusCode::BAD_REQUEST,
                "InvalidIdInRequest",
                "CredentialsV2Request: Credentials not found",
            );
        }
        let credentials = tokio::select! {
            credentials = self.roles.wait(RoleKind::Task) => credentials,
            () = self.environment.sleep(ARRIVAL_TIME) => {
                return refusal(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "CredentialsUninitialized",
                    "CredentialsV2Request: Credentials uninitialized for ID",
                );
            }
        };
        json_answer(
            StatusCode::OK,
            &json!({
                "RoleArn": credentials.role_arn,
                "AccessKeyId": credentials.access_key_id,
                "SecretAccessKey": *credentials.secret_access_key,
                "Token": *credentials.session_token,
                "Expiration": credentials.expiration,
            }),
        )
    }

    async fn metadata(&self, version: Version, container: &str, what: &[&str]) -> Answer {
        let known = (0..self.task.containers.len()).find(|index| self.task.endpoint_id(*index) == container);
        let Some(container) = known else {
            return text(
                StatusCode::NOT_FOUND,
                &format!("unable to get container ID from request: no container {container:?} in this task"),
            );
        };
        self.wait_for_start(container).await;
        let record = self.record.borrow().clone();
        match what {
            [] => json_answer(StatusCode::OK, &self.container_metadata(version, &record, container)),
            ["task"] => {
                let mut shown = self.task_metadata(version, &record);
                if version == Version::V4 {
                    self.add_storage(&mut shown).await;
                }
                json_answer(StatusCode::OK, &shown)
            }
            ["stats"] => match self.container_stats(version, &record, container).await {
                Ok(stats) => json_answer(StatusCode::OK, &stats),
                Err(error) => text(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    &format!("unable to get container stats: {error}"),
                ),
            },
            ["task", "stats"] => json_answer(StatusCode::OK, &self.task_stats(version, &record).await),
            _ => text(StatusCode::NOT_FOUND, "404 page not found"),
        }
    }

    /// Who knows a container's address is most likely that container, which then runs, known or not.
    async fn wait_for_start(&self, container: usize) {
        let mut record = self.record.clone();
        tokio::select! {
            _ = record.wait_for(|record| record.containers[container].life != Life::Starting) => {}
            () = self.environment.sleep(ARRIVAL_TIME) => {}
        }
    }
}

fn refusal(status: StatusCode, code: &'static str, message: &str) -> Answer {
    json_answer(status, &Refusal { code, message: message.to_owned(), status: status.as_u16() })
}

/// What the published agent says of other faults is a JSON text.
fn text(status: StatusCode, message: &str) -> Answer {
    json_answer(status, &Value::String(message.to_owned()))
}

pub(super) fn json_answer(status: StatusCode, value: &impl Serialize) -> Answer {
    // Values made of texts and numbers can always be written.
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}
