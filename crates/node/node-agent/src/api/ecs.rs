//! ECS: registration and state reports.

use super::{Api, ApiError, TaskApi};
use crate::backoff::Backoff;
use crate::task::definition::TaskDefinition;
use crate::task::record::{ContainerReport, ExecAgentState, Report, Status};
use environment::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const SERVICE: &str = "ecs";
const TARGET: &str = "AmazonEC2ContainerServiceV20141113";
/// Longest reason that the API takes.
const MOST_REASON: usize = 1024;

/// What the agent tells about its machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registration<'a> {
    /// Cluster to join.
    pub(crate) cluster: &'a str,
    /// The instance it was before.
    pub(crate) container_instance: Option<&'a str>,
    /// CPU units.
    pub(crate) cpu: u32,
    /// MiB.
    pub(crate) memory: u32,
    /// Names and values.
    pub(crate) attributes: &'a [(String, Option<String>)],
    /// Version of the agent.
    pub(crate) version: &'a str,
}

/// Where the agent's websockets go.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PollEndpoints {
    /// ACS.
    pub(crate) endpoint: String,
    /// TCS.
    pub(crate) telemetry_endpoint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registered {
    container_instance: ContainerInstance,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerInstance {
    container_instance_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SubmitTaskStateChange<'a> {
    cluster: &'a str,
    task: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    containers: Vec<ContainerStateChange<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pull_started_at: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pull_stopped_at: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_stopped_at: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    managed_agents: Vec<ManagedAgentStateChange<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ManagedAgentStateChange<'a> {
    container_name: &'a str,
    managed_agent_name: &'static str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStateChange<'a> {
    container_name: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_digest: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Deserialize)]
struct Acknowledged {}

impl Api {
    /// RegisterContainerInstance; answers the instance's ARN.
    pub(crate) async fn register(&self, registration: &Registration<'_>) -> Result<String, ApiError> {
        let attributes: Vec<_> = registration
            .attributes
            .iter()
            .map(|(name, value)| match value {
                Some(value) => serde_json::json!({"name": name, "value": value}),
                None => serde_json::json!({"name": name}),
            })
            .collect();
        let mut input = serde_json::json!({
            "cluster": registration.cluster,
            "attributes": attributes,
            "totalResources": [
                {"name": "CPU", "type": "INTEGER", "integerValue": registration.cpu},
                {"name": "MEMORY", "type": "INTEGER", "integerValue": registration.memory},
            ],
            "versionInfo": {"agentVersion": registration.version},
        });
        if let Some(arn) = registration.container_instance {
            input["containerInstanceArn"] = arn.into();
        }
        let answer: Registered = self.call(SERVICE, TARGET, "RegisterContainerInstance", &input).await?;
        Ok(answer.container_instance.container_instance_arn)
    }

    /// DiscoverPollEndpoint.
    pub(crate) async fn poll_endpoints(
        &self,
        cluster: &str,
        instance: &str,
    ) -> Result<PollEndpoints, ApiError> {
        let input = serde_json::json!({"cluster": cluster, "containerInstance": instance});
        self.call(SERVICE, TARGET, "DiscoverPollEndpoint", &input).await
    }

    /// SubmitTaskStateChange, again and again until it is accepted or can never be.
    pub(crate) async fn submit(&self, task: &TaskDefinition, report: &Report) {
        self.submit_by_arn(&task.cluster, &task.arn, report).await;
    }

    /// [`Api::submit`] for a task of which only the ARN could be read.
    pub(crate) async fn submit_by_arn(&self, cluster: &str, task: &str, report: &Report) {
        let input = SubmitTaskStateChange {
            cluster,
            task,
            status: report.status.as_str(),
            reason: report.reason.as_deref().map(shortened),
            containers: report.containers.iter().map(container).collect(),
            pull_started_at: report.pull_started_at.map(seconds),
            pull_stopped_at: report.pull_stopped_at.map(seconds),
            execution_stopped_at: report.execution_stopped_at.map(seconds),
            managed_agents: report.exec_agents.iter().map(managed_agent).collect(),
        };
        let mut backoff = Backoff::new(Duration::from_millis(30), Duration::from_secs(30));
        loop {
            let sent: Result<Acknowledged, ApiError> = {
                // The semaphore is never closed, so there is always a permit in the end.
                let _permit = self.reports.acquire().await;
                self.call(SERVICE, TARGET, "SubmitTaskStateChange", &input).await
            };
            match sent {
                Ok(Acknowledged {}) => return,
                Err(error) if error.code() == Some("InvalidParameterException") => {
                    tracing::warn!(task, status = input.status, %error, "the server does not want this report");
                    return;
                }
                Err(error) => {
                    tracing::debug!(task, status = input.status, %error, "cannot report, trying again");
                    self.environment.sleep(backoff.next(&self.environment)).await;
                }
            }
        }
    }
}

fn container(report: &ContainerReport) -> ContainerStateChange<'_> {
    ContainerStateChange {
        container_name: &report.name,
        status: report.status.as_str(),
        image_digest: report.image_digest.as_deref(),
        runtime_id: report.runtime_id.as_deref(),
        exit_code: report.exit_code.filter(|_| report.status == Status::Stopped),
        reason: report.reason.as_deref().map(shortened),
    }
}

impl TaskApi {
    /// GetTaskProtection or UpdateTaskProtection, as the role of the task.
    pub(crate) async fn task_protection(
        &self,
        operation: &str,
        input: &serde_json::Value,
    ) -> Result<serde_json::Value, ApiError> {
        self.call(SERVICE, TARGET, operation, input).await
    }
}

fn managed_agent((container, state): &(String, ExecAgentState)) -> ManagedAgentStateChange<'_> {
    ManagedAgentStateChange {
        container_name: container,
        managed_agent_name: "ExecuteCommandAgent",
        status: state.status.as_str(),
        reason: state.reason.as_deref().map(shortened),
    }
}

fn shortened(text: &str) -> &str {
    let end = (0..=MOST_REASON.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

fn seconds(time: Timestamp) -> f64 {
    time.as_millis() as f64 / 1000.0
}
