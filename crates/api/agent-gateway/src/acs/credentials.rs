//! Credentials of the roles of tasks: with the payload at first, in messages of their own afterwards.

use super::Session;
use crate::convert::{self, Credentials};
use crate::roles::{self, RoleKind};
use crate::upgrade::{SessionError, Socket};
use access::AssumeError;
use agent_wire::acs;
use resources::Stored;
use resources::ecs::{DesiredStatus, StopCode, Task, TaskDefinition, TaskStatus};
use store::{StoreError, Versioned};

impl Session<'_> {
    /// A new session begins: what the agent holds, and until when, is not known, so it gets everything anew.
    pub(super) async fn want_credentials(&mut self, tasks: &[Versioned<Task>]) -> Result<(), StoreError> {
        let now = self.gateway.environment.now();
        for task in tasks.iter().filter(|task| may_hold_credentials(task)) {
            let Some(definition) = self.definition(task).await? else { continue };
            for kind in RoleKind::ALL {
                if kind.arn(task, &definition).is_some() {
                    self.renewals.want(&task.key(), kind, now);
                }
            }
        }
        Ok(())
    }

    /// The task definition of a task.
    pub(super) async fn definition(
        &self,
        task: &Task,
    ) -> Result<Option<Versioned<TaskDefinition>>, StoreError> {
        let key = TaskDefinition::key_of(&task.account, &task.family, task.revision);
        self.gateway.tables.get::<TaskDefinition>(&key).await
    }

    /// What goes with a task that an agent is told of. `None` when a role cannot be assumed: then the task is to stop.
    pub(super) async fn first_credentials(
        &mut self,
        task: &Versioned<Task>,
        definition: &TaskDefinition,
    ) -> Result<Option<Credentials>, SessionError> {
        let gateway = self.gateway;
        let mut all = Credentials::default();
        if task.desired_status != DesiredStatus::Running {
            return Ok(Some(all));
        }
        for kind in RoleKind::ALL {
            let Some(arn) = kind.arn(task, definition) else { continue };
            match roles::credentials(gateway, task, kind, &arn).await {
                Ok((credentials, expires_at)) => {
                    let now = gateway.environment.now();
                    self.renewals.sent_with_payload(&task.key(), kind, expires_at, now);
                    match kind {
                        RoleKind::Task => all.task = Some(credentials),
                        RoleKind::Execution => all.execution = Some(credentials),
                    }
                }
                Err(AssumeError::Failed(error)) => return Err(SessionError::Roles(error)),
                Err(reason) => {
                    tracing::info!(task = task.key(), %reason, "a role cannot be assumed");
                    self.stop_for(task, &arn).await?;
                    return Ok(None);
                }
            }
        }
        Ok(Some(all))
    }

    async fn stop_for(&mut self, task: &Task, role_arn: &str) -> Result<(), StoreError> {
        self.renewals.forget(&task.key());
        let now = self.gateway.environment.now();
        let change = |old: &Task| {
            let mut new = old.clone();
            new.want_stop(StopCode::TaskFailedToStart, roles::not_assumed(role_arn), now);
            Ok::<_, StoreError>(Some(new))
        };
        self.gateway.tables.update(&task.key(), change).await.map(|_| ())
    }

    /// Sends the next credentials where they are due.
    pub(super) async fn renew(&mut self, socket: &mut Socket) -> Result<(), SessionError> {
        let gateway = self.gateway;
        for (key, kind) in self.renewals.due(gateway.environment.now()) {
            let task = gateway.tables.get::<Task>(&key).await?.filter(|task| may_hold_credentials(task));
            let definition = match &task {
                Some(task) => self.definition(task).await?,
                None => None,
            };
            let (Some(task), Some(definition)) = (task, definition) else {
                self.renewals.forget(&key);
                continue;
            };
            let Some(arn) = kind.arn(&task, &definition) else {
                self.renewals.forget(&key);
                continue;
            };
            self.renew_one(&task, kind, &arn, socket).await?;
        }
        Ok(())
    }

    async fn renew_one(
        &mut self,
        task: &Task,
        kind: RoleKind,
        role_arn: &str,
        socket: &mut Socket,
    ) -> Result<(), SessionError> {
        let gateway = self.gateway;
        let made = roles::credentials(gateway, task, kind, role_arn).await;
        let now = gateway.environment.now();
        let (credentials, expires_at) = match made {
            Ok(made) => made,
            Err(AssumeError::Failed(error)) => return Err(SessionError::Roles(error)),
            Err(reason) => {
                // A task that runs goes on, with what it has for as long as that is good.
                tracing::warn!(task = task.key(), %reason, "a role cannot be assumed again");
                self.renewals.refused(&task.key(), kind, now);
                return Ok(());
            }
        };
        let message_id = gateway.environment.uuid();
        let message = acs::IAMRoleCredentialsMessage {
            message_id: message_id.clone(),
            role_credentials: Some(credentials),
            role_type: Some(kind.role_type()),
            task_arn: convert::task_arn(&gateway.region, task),
            task_cluster_arn: convert::cluster_arn(&gateway.region, task),
        };
        self.renewals.sent(&task.key(), kind, message_id, expires_at, now);
        self.command(message.into(), socket).await
    }
}

/// Whether an agent has containers of this task, or is about to: until it has reported the end of the last.
fn may_hold_credentials(task: &Task) -> bool {
    (TaskStatus::Pending..TaskStatus::Deprovisioning).contains(&task.last_status)
}
