//! The task's own protection against scaling in and deployments, asked for at `$ECS_AGENT_URI/task-protection/v1/state`.
//! It is ECS's to grant: the role of the task asks, and needs `ecs:GetTaskProtection` and `ecs:UpdateTaskProtection`.

use super::Endpoint;
use super::answer::{Answer, json_answer};
use crate::api::{ApiError, TaskApi};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// Wait for ECS's answer, as the published agent waits.
const CALL_TIME: Duration = Duration::from_secs(4);

/// What a task asks for.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Wanted {
    protection_enabled: Option<bool>,
    expires_in_minutes: Option<i64>,
}

impl Endpoint {
    /// Answers a request about the protection.
    pub(super) async fn protection(&self, method: &Method, container: &str, body: &[u8]) -> Answer {
        let wanted = match *method {
            Method::GET => None,
            Method::PUT => {
                let Ok(wanted) = serde_json::from_slice::<Wanted>(body) else {
                    let text = "UpdateTaskProtection: failed to decode request";
                    return error(StatusCode::BAD_REQUEST, "", "InvalidParameterException", text);
                };
                Some(wanted)
            }
            _ => return json_answer(StatusCode::METHOD_NOT_ALLOWED, &Value::from("405 method not allowed")),
        };
        if !(0..self.task.containers.len()).any(|index| self.task.endpoint_id(index) == container) {
            let text = "Failed to find a task for the request";
            return error(StatusCode::NOT_FOUND, "", "ResourceNotFoundException", text);
        }
        let arn = self.task.arn.as_str();
        let mut input = json!({"cluster": self.task.cluster, "tasks": [arn]});
        if let Some(wanted) = &wanted {
            let Some(enabled) = wanted.protection_enabled else {
                let text = "Invalid request: does not contain 'ProtectionEnabled' field";
                return error(StatusCode::BAD_REQUEST, arn, "InvalidParameterException", text);
            };
            input["protectionEnabled"] = enabled.into();
            if let Some(minutes) = wanted.expires_in_minutes {
                input["expiresInMinutes"] = minutes.into();
            }
        }
        if self.task.role.is_none() {
            let text = "Invalid Request: no task IAM role credentials available for task";
            return error(StatusCode::FORBIDDEN, arn, "AccessDeniedException", text);
        }
        let api = TaskApi::as_task(self.api.clone(), arn, self.roles.clone());
        let operation = if wanted.is_some() { "UpdateTaskProtection" } else { "GetTaskProtection" };
        let called = tokio::select! {
            called = api.task_protection(operation, &input) => called,
            () = self.environment.sleep(CALL_TIME) => {
                let text = "Timed out calling ECS Task Protection API";
                return error(StatusCode::GATEWAY_TIMEOUT, arn, "RequestCanceled", text);
            }
        };
        match called {
            Ok(answer) => shown(arn, &answer),
            Err(ApiError::Service { code, message, status }) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                error(status, arn, &code, &message)
            }
            Err(other) => {
                tracing::info!(task = self.task.id, error = %other, "cannot ask for the protection of a task");
                error(StatusCode::INTERNAL_SERVER_ERROR, arn, "ServerException", "Unexpected error occurred")
            }
        }
    }
}

/// ECS's answer in the agent's form: the names of its members begin with capitals, times are texts.
fn shown(arn: &str, answer: &Value) -> Answer {
    if let Some(failure) = answer["failures"].get(0) {
        let failure =
            json!({"Arn": failure["arn"], "Detail": failure["detail"], "Reason": failure["reason"]});
        return json_answer(StatusCode::OK, &json!({"failure": failure}));
    }
    let Some(protected) = answer["protectedTasks"].get(0) else {
        return error(StatusCode::INTERNAL_SERVER_ERROR, arn, "ServerException", "Unexpected error occurred");
    };
    let until = protected["expirationDate"].as_f64().map(|seconds| {
        environment::Timestamp::from_millis((seconds * 1000.0).round() as i64).to_rfc3339_seconds()
    });
    let protection = json!({
        "ExpirationDate": until,
        "ProtectionEnabled": protected["protectionEnabled"],
        "TaskArn": protected["taskArn"],
    });
    json_answer(StatusCode::OK, &json!({"protection": protection}))
}

fn error(status: StatusCode, arn: &str, code: &str, message: &str) -> Answer {
    let mut error = json!({"Code": code, "Message": message});
    if !arn.is_empty() {
        error["Arn"] = arn.into();
    }
    json_answer(status, &json!({"error": error}))
}
