//! The roles of a task, and the sessions of them that an agent gets.

use crate::{Inner, recorded};
use access::{AssumeError, SessionCredentials};
use agent_wire::acs;
use environment::Timestamp;
use resources::ecs::{Task, TaskDefinition};
use std::time::Duration;

/// Life of a session, as AWS's agents get them.
pub const SESSION_TIME: Duration = Duration::from_secs(6 * 3600);
/// Who assumes the roles.
const SERVICE: &str = "ecs-tasks.amazonaws.com";

/// Which of a task's two roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RoleKind {
    /// What the task's containers act as.
    Task,
    /// What the agent acts as for the task.
    Execution,
}

impl RoleKind {
    pub(crate) const ALL: [Self; 2] = [Self::Task, Self::Execution];

    /// The role of a task, after overrides, if it has one of this kind.
    pub(crate) fn arn(self, task: &Task, definition: &TaskDefinition) -> Option<String> {
        let over = &task.overrides;
        let given = match self {
            Self::Task => over.task_role_arn.as_ref().or(definition.task_role_arn.as_ref()),
            Self::Execution => over.execution_role_arn.as_ref().or(definition.execution_role_arn.as_ref()),
        };
        let given = given.filter(|given| !given.is_empty())?;
        if given.starts_with("arn:") {
            return Some(given.clone());
        }
        Some(format!("arn:aws:iam::{}:role/{given}", task.account))
    }

    /// The protocol's word.
    pub(crate) fn role_type(self) -> acs::RoleType {
        match self {
            Self::Task => acs::RoleType::TaskApplication,
            Self::Execution => acs::RoleType::TaskExecution,
        }
    }

    /// What names the credentials. Containers know that of their task's role, so it stays the same.
    pub(crate) fn credentials_id(self, task: &Task) -> String {
        match self {
            Self::Task => task.credentials_id.clone(),
            Self::Execution => format!("{}-execution", task.id),
        }
    }
}

/// Credentials of a role as they go to an agent, with the time of their end.
pub(crate) async fn credentials(
    gateway: &Inner,
    task: &Task,
    kind: RoleKind,
    role_arn: &str,
) -> Result<(acs::IAMRoleCredentials, Timestamp), AssumeError> {
    let assumed = assume(gateway, task, role_arn).await;
    let told = assumed.as_ref().map(|session| (session.access_key_id.as_str(), session.expires_at));
    recorded::role_assumed(gateway, task, SERVICE, role_arn, told).await;
    let session = assumed?;
    let credentials = acs::IAMRoleCredentials {
        credentials_id: kind.credentials_id(task),
        role_arn: role_arn.to_owned(),
        access_key_id: session.access_key_id,
        // Exposed to be sent to the agent.
        secret_access_key: session.secret_access_key.expose().to_owned().into(),
        session_token: session.session_token.expose().to_owned(),
        expiration: session.expires_at.to_rfc3339_seconds(),
        credential_scope: String::new(),
    };
    Ok((credentials, session.expires_at))
}

async fn assume(gateway: &Inner, task: &Task, role_arn: &str) -> Result<SessionCredentials, AssumeError> {
    // Roles are passed within their account only.
    if role_arn.split(':').nth(4) != Some(task.account.as_str()) {
        return Err(AssumeError::NoRole(role_arn.to_owned()));
    }
    let task_arn = crate::convert::task_arn(&gateway.region, task);
    let access = &gateway.access;
    access.assume_for_service(role_arn, SERVICE, &task.id, gateway.session_time, &task_arn).await
}

/// Why a task ends whose role cannot be assumed, in AWS's words.
pub(crate) fn not_assumed(role_arn: &str) -> String {
    format!(
        "ECS was unable to assume the role '{role_arn}' that was provided for this task. Please verify that the role \
         being passed has the proper trust relationship and permissions and that your IAM user has permissions to \
         pass this role."
    )
}
