//! Calls for a task, as one of its roles and as nobody else: the machine's own key is not for them.

use super::{Api, ApiError};
use crate::roles::{RoleKind, TaskRoles};
use aws_wire::sigv4::Signer;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// How long to wait for credentials, which the server sends again when the agent is back.
const CREDENTIALS_TIME: Duration = Duration::from_secs(30);

/// Calls for one task; cheap to clone.
#[derive(Clone)]
pub(crate) struct TaskApi {
    api: Arc<Api>,
    /// Of a task with the role.
    roles: Option<Arc<TaskRoles>>,
    kind: RoleKind,
    /// The task's.
    arn: Arc<str>,
}

impl TaskApi {
    /// For a task that has an execution role, or none.
    pub(crate) fn new(api: Arc<Api>, arn: &str, roles: Option<Arc<TaskRoles>>) -> Self {
        Self { api, roles, kind: RoleKind::Execution, arn: arn.into() }
    }

    /// For what is done as the role of the task's containers.
    pub(crate) fn as_task(api: Arc<Api>, arn: &str, roles: Arc<TaskRoles>) -> Self {
        Self { api, roles: Some(roles), kind: RoleKind::Task, arn: arn.into() }
    }

    /// The account of the task.
    pub(super) fn account(&self) -> &str {
        self.arn.split(':').nth(4).unwrap_or_default()
    }

    /// The agent's own calls.
    pub(crate) fn host(&self) -> &Api {
        &self.api
    }

    /// Calls an operation as [`Api::call`] does.
    pub(super) async fn call<I: Serialize, O: DeserializeOwned>(
        &self,
        service: &str,
        target: &str,
        operation: &str,
        input: &I,
    ) -> Result<O, ApiError> {
        let signer = self.signer(operation).await?;
        self.api.call_as(&signer, service, target, operation, input).await
    }

    async fn signer(&self, operation: &str) -> Result<Signer, ApiError> {
        let Some(roles) = &self.roles else {
            return Err(ApiError::Unusable {
                operation: operation.to_owned(),
                reason: "the task has no execution role".to_owned(),
            });
        };
        tokio::select! {
            credentials = roles.wait(self.kind) => Ok(credentials.signer(&self.api.signer().region)),
            () = self.api.environment.sleep(CREDENTIALS_TIME) => Err(ApiError::Transport {
                operation: operation.to_owned(),
                reason: "the credentials of the role have not arrived".to_owned(),
            }),
        }
    }
}
