//! Credentials of a task's roles. They are in memory only: after a restart the server sends them again.

use agent_wire::acs;
use aws_wire::sigv4::Signer;
use std::fmt;
use std::sync::Arc;
use tokio::sync::watch;
use zeroize::Zeroizing;

/// Which of a task's two roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoleKind {
    /// What the task's containers act as.
    Task,
    /// What the agent acts as for the task: pulls, log streams, secrets.
    Execution,
}

/// A session of a role.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RoleCredentials {
    /// Names them in the address that containers are told.
    pub(crate) id: String,
    pub(crate) role_arn: String,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: Zeroizing<String>,
    pub(crate) session_token: Zeroizing<String>,
    /// As the server wrote it.
    pub(crate) expiration: String,
}

impl fmt::Debug for RoleCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoleCredentials({}, {}, until {})", self.role_arn, self.access_key_id, self.expiration)
    }
}

impl RoleCredentials {
    /// Signs as the role.
    pub(crate) fn signer(&self, region: &str) -> Signer {
        Signer {
            access_key_id: self.access_key_id.clone(),
            secret_access_key: self.secret_access_key.to_string(),
            session_token: Some(self.session_token.to_string()),
            region: region.to_owned(),
        }
    }

    /// Those of a message; `None` for the ones of a payload from disk, which have no secret.
    fn read(message: &acs::IAMRoleCredentials) -> Option<Self> {
        if message.access_key_id.is_empty() || message.secret_access_key.is_empty() {
            return None;
        }
        Some(Self {
            id: message.credentials_id.clone(),
            role_arn: message.role_arn.clone(),
            access_key_id: message.access_key_id.clone(),
            secret_access_key: Zeroizing::new(message.secret_access_key.0.clone()),
            session_token: Zeroizing::new(message.session_token.clone()),
            expiration: message.expiration.clone(),
        })
    }
}

/// The roles of one task.
#[derive(Debug, Default)]
pub(crate) struct TaskRoles {
    task: watch::Sender<Option<Arc<RoleCredentials>>>,
    execution: watch::Sender<Option<Arc<RoleCredentials>>>,
}

impl TaskRoles {
    /// Takes what a payload brings.
    pub(crate) fn take_payload(&self, task: &acs::Task) {
        for (kind, message) in [
            (RoleKind::Task, &task.role_credentials),
            (RoleKind::Execution, &task.execution_role_credentials),
        ] {
            if let Some(message) = message {
                self.take(kind, message);
            }
        }
    }

    /// Takes newer credentials in the place of the ones there are.
    pub(crate) fn take(&self, kind: RoleKind, message: &acs::IAMRoleCredentials) {
        if let Some(credentials) = RoleCredentials::read(message) {
            self.of(kind).send_replace(Some(Arc::new(credentials)));
        }
    }

    /// Waits until there are some.
    pub(crate) async fn wait(&self, kind: RoleKind) -> Arc<RoleCredentials> {
        let mut changes = self.of(kind).subscribe();
        loop {
            if let Some(credentials) = changes.borrow_and_update().clone() {
                return credentials;
            }
            if changes.changed().await.is_err() {
                // The sender is ours and lives as long as we do.
                std::future::pending::<()>().await;
            }
        }
    }

    fn of(&self, kind: RoleKind) -> &watch::Sender<Option<Arc<RoleCredentials>>> {
        match kind {
            RoleKind::Task => &self.task,
            RoleKind::Execution => &self.execution,
        }
    }
}

/// A task as it may be kept on disk: whose roles it has, but not their credentials.
pub(crate) fn without_credentials(task: &acs::Task) -> acs::Task {
    let mut task = task.clone();
    for message in [&mut task.role_credentials, &mut task.execution_role_credentials].into_iter().flatten() {
        *message = acs::IAMRoleCredentials {
            credentials_id: std::mem::take(&mut message.credentials_id),
            role_arn: std::mem::take(&mut message.role_arn),
            ..acs::IAMRoleCredentials::default()
        };
    }
    task
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(secret: &str) -> acs::IAMRoleCredentials {
        acs::IAMRoleCredentials {
            credentials_id: "id".to_owned(),
            role_arn: "arn".to_owned(),
            access_key_id: "ASIA".to_owned(),
            secret_access_key: secret.to_owned().into(),
            session_token: format!("token-{secret}"),
            expiration: "2030-01-01T00:00:00Z".to_owned(),
            ..acs::IAMRoleCredentials::default()
        }
    }

    #[tokio::test]
    async fn newer_ones_take_the_place_of_older_ones() {
        let roles = TaskRoles::default();
        let task = acs::Task {
            role_credentials: Some(message("one")),
            execution_role_credentials: Some(message("two")),
            ..acs::Task::default()
        };
        roles.take_payload(&task);
        assert_eq!(*roles.wait(RoleKind::Task).await.secret_access_key, "one");
        assert_eq!(*roles.wait(RoleKind::Execution).await.secret_access_key, "two");
        roles.take(RoleKind::Task, &message("three"));
        assert_eq!(*roles.wait(RoleKind::Task).await.secret_access_key, "three");
        let shown = format!("{roles:?}");
        assert!(!shown.contains("three") && !shown.contains("two"), "{shown}");

        // What goes to disk says that there are roles, and no more; read again it takes nothing away.
        let kept = serde_json::to_string(&without_credentials(&task)).expect("writes");
        assert!(!kept.contains("one") && !kept.contains("ASIA") && kept.contains(r#""credentialsId":"id""#));
        roles.take_payload(&serde_json::from_str(&kept).expect("reads"));
        assert_eq!(*roles.wait(RoleKind::Task).await.secret_access_key, "three");
    }
}
