//! The session for commands of one agent.

mod credentials;
mod outbox;
mod renewal;

use crate::Inner;
use crate::convert;
use crate::instance::Instance;
use crate::upgrade::{SessionError, Socket};
use agent_wire::{AcsCommand, AcsReply, acs};
use outbox::Outbox;
use renewal::Renewals;
use resources::Stored;
use resources::ecs::{ContainerInstance, DesiredStatus, Task, TaskStatus};
use std::time::Duration;
use store::{Revision, StoreError, Versioned};

/// Time between two heartbeats; agents give up after 60 seconds of silence.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// An agent that acknowledges nothing for so long is taken as gone.
const SILENCE: Duration = Duration::from_secs(90);
/// Most tasks of one payload.
const MOST_TASKS: usize = 10;

/// Serves an agent until it or the connection goes.
pub(crate) async fn session(
    gateway: &Inner,
    instance: &Instance,
    socket: &mut Socket,
) -> Result<(), SessionError> {
    // Before listing, so that no change falls in between.
    let mut changes = gateway.feed.subscribe(&instance.key).await;
    let revision = set_connected(gateway, &instance.key, true).await?;
    tracing::info!(instance = instance.key, "an agent is connected");
    let mut session = Session {
        gateway,
        instance,
        outbox: Outbox::default(),
        renewals: Renewals::default(),
        revision,
        heard_at: gateway.environment.now(),
    };
    let mine = session.own_tasks().await?;
    session.send_manifest(&mine, socket).await?;
    session.want_credentials(&mine).await?;
    session.offer(mine, socket).await?;
    let mut heartbeat_at = gateway.environment.now() + HEARTBEAT;
    loop {
        let silent_at = session.heard_at + SILENCE;
        tokio::select! {
            frame = socket.receive() => session.hear(&frame?, socket).await?,
            change = changes.recv() => {
                let mut tasks = vec![change.ok_or_else(|| session.lost())?];
                while tasks.len() < MOST_TASKS && let Ok(task) = changes.try_recv() {
                    tasks.push(task);
                }
                session.offer(tasks, socket).await?;
            }
            () = gateway.environment.sleep_until(heartbeat_at) => {
                heartbeat_at = gateway.environment.now() + HEARTBEAT;
                let message_id = gateway.environment.uuid();
                session.command(acs::HeartbeatMessage { message_id, healthy: true }.into(), socket).await?;
            }
            () = sleep_until(gateway, session.outbox.due_at()) => session.resend(socket).await?,
            () = sleep_until(gateway, session.renewals.due_at()) => session.renew(socket).await?,
            () = gateway.environment.sleep_until(silent_at) => return Err(SessionError::Silent),
        }
    }
}

/// Notes that an instance's agent is gone, unless it is back already.
pub(crate) async fn departed(gateway: &Inner, instance: &str) {
    let left = {
        let mut current = gateway.current.lock();
        let sessions = current.entry(instance.to_owned()).or_default();
        *sessions = sessions.saturating_sub(1);
        *sessions == 0 && current.remove(instance).is_some()
    };
    if !left {
        return;
    }
    gateway.feed.unsubscribe(instance);
    if let Err(error) = set_connected(gateway, instance, false).await {
        tracing::error!(instance, %error, "cannot note that an agent is gone");
    }
}

/// Writes in any case: the revision of this write is higher than that of every earlier session.
async fn set_connected(gateway: &Inner, instance: &str, connected: bool) -> Result<Revision, StoreError> {
    let change = |old: &ContainerInstance| {
        Ok::<_, StoreError>(Some(ContainerInstance { agent_connected: connected, ..old.clone() }))
    };
    let row = gateway.tables.update(instance, change).await?;
    Ok(row.map_or(0, |row| row.revision))
}

async fn sleep_until(gateway: &Inner, at: Option<environment::Timestamp>) {
    match at {
        Some(at) => gateway.environment.sleep_until(at).await,
        None => std::future::pending().await,
    }
}

struct Session<'a> {
    gateway: &'a Inner,
    instance: &'a Instance,
    outbox: Outbox,
    renewals: Renewals,
    /// Highest revision sent; sequence numbers are revisions, so they grow over sessions and restarts.
    revision: Revision,
    heard_at: environment::Timestamp,
}

impl Session<'_> {
    /// Why changes stopped coming.
    fn lost(&self) -> SessionError {
        let sessions = self.gateway.current.lock().get(&self.instance.key).copied().unwrap_or_default();
        if sessions > 1 { SessionError::Replaced } else { SessionError::Slow }
    }

    async fn own_tasks(&self) -> Result<Vec<Versioned<Task>>, StoreError> {
        let mut tasks = self.gateway.tables.list_all::<Task>("").await?;
        tasks.retain(|task| task.container_instance.as_ref() == Some(&self.instance.key));
        Ok(tasks)
    }

    async fn command(&self, command: AcsCommand, socket: &mut Socket) -> Result<(), SessionError> {
        socket.send(command.encode()?).await
    }

    /// Every task that shall run here, so that the agent can name those it should not have.
    async fn send_manifest(
        &self,
        tasks: &[Versioned<Task>],
        socket: &mut Socket,
    ) -> Result<(), SessionError> {
        let wanted = tasks.iter().filter(|task| is_wanted(task));
        let message = acs::TaskManifestMessage {
            cluster_arn: self.instance.cluster.clone(),
            container_instance_arn: self.instance.arn.clone(),
            generated_at: self.gateway.environment.now().as_millis(),
            message_id: self.gateway.environment.uuid(),
            tasks: wanted.map(|task| self.identifier(task)).collect(),
            timeline: i64::try_from(self.revision).unwrap_or(i64::MAX),
        };
        self.command(message.into(), socket).await
    }

    fn identifier(&self, task: &Task) -> acs::TaskIdentifier {
        acs::TaskIdentifier {
            desired_status: desired(task).as_str().to_owned(),
            task_arn: convert::task_arn(&self.gateway.region, task),
            task_cluster_arn: convert::cluster_arn(&self.gateway.region, task),
        }
    }

    /// Sends what the agent does not know yet of these tasks.
    async fn offer(&mut self, tasks: Vec<Versioned<Task>>, socket: &mut Socket) -> Result<(), SessionError> {
        let mut news = Vec::new();
        for task in tasks {
            self.revision = self.revision.max(task.revision);
            if task.last_status >= TaskStatus::Deprovisioning {
                self.renewals.forget(&task.key());
            }
            match to_send(&task) {
                Some(desired) if self.outbox.is_news(&task.id, desired) => news.push(task),
                Some(_) => {}
                None => self.outbox.forget(&task.id, &task),
            }
        }
        for tasks in news.chunks(MOST_TASKS) {
            self.send_payload(tasks, 1, socket).await?;
        }
        Ok(())
    }

    async fn send_payload(
        &mut self,
        tasks: &[Versioned<Task>],
        attempt: u32,
        socket: &mut Socket,
    ) -> Result<(), SessionError> {
        let mut messages = Vec::with_capacity(tasks.len());
        for task in tasks {
            let Some(definition) = self.definition(task).await? else {
                tracing::error!(task = task.key(), "the task definition of a task is gone");
                continue;
            };
            let Some(credentials) = self.first_credentials(task, &definition).await? else { continue };
            let (region, registry) = (&self.gateway.region, &self.gateway.registry);
            messages.push(convert::task(region, registry, task, &definition, credentials));
        }
        if messages.is_empty() {
            return Ok(());
        }
        let message_id = self.gateway.environment.uuid();
        let number = i64::try_from(self.revision).unwrap_or(i64::MAX);
        let payload = acs::PayloadMessage {
            cluster_arn: self.instance.cluster.clone(),
            container_instance_arn: self.instance.arn.clone(),
            generated_at: self.gateway.environment.now().as_millis(),
            message_id: message_id.clone(),
            seq_num: i32::try_from(self.revision).unwrap_or(i32::MAX),
            tasks: messages,
            timeline: Some(number),
        };
        let now = self.gateway.environment.now();
        let wanted = tasks.iter().map(|task| (task.key(), task.id.clone(), task.desired_status));
        self.outbox.sent(message_id, wanted.collect(), attempt, now);
        self.command(payload.into(), socket).await
    }

    /// Sends anew what was not acknowledged in time, as it is now.
    async fn resend(&mut self, socket: &mut Socket) -> Result<(), SessionError> {
        for late in self.outbox.take_late(self.gateway.environment.now()) {
            let mut tasks = Vec::new();
            for key in &late.tasks {
                if let Some(task) = self.gateway.tables.get::<Task>(key).await?
                    && to_send(&task).is_some()
                {
                    tasks.push(task);
                }
            }
            self.send_payload(&tasks, late.attempt + 1, socket).await?;
        }
        Ok(())
    }

    async fn hear(&mut self, frame: &str, socket: &mut Socket) -> Result<(), SessionError> {
        self.heard_at = self.gateway.environment.now();
        match AcsReply::decode(frame) {
            Ok(AcsReply::Ack(ack)) => self.outbox.acknowledged(&ack.message_id),
            Ok(AcsReply::Nack(nack)) => {
                tracing::warn!(
                    instance = self.instance.key,
                    reason = nack.reason,
                    "an agent refuses a message"
                );
                self.outbox.acknowledged(&nack.message_id);
            }
            Ok(AcsReply::TaskStopVerification(message)) => self.verify(message, socket).await?,
            Ok(AcsReply::RoleCredentialsAck(ack)) => self.renewals.acknowledged(&ack.message_id),
            Ok(AcsReply::HeartbeatAck(_)) => {}
            Ok(AcsReply::Unknown(kind)) => tracing::debug!(kind, "a reply of an unknown type is left out"),
            Err(error) => tracing::warn!(%error, "a reply cannot be read and is left out"),
        }
        Ok(())
    }

    /// An agent has tasks that were not in the manifest: those that really shall not run are named to it.
    async fn verify(
        &self,
        message: acs::TaskStopVerificationMessage,
        socket: &mut Socket,
    ) -> Result<(), SessionError> {
        let mut stop_tasks = Vec::new();
        for candidate in message.stop_candidates {
            let wanted = match convert::task_key(&self.gateway.region, &candidate.task_arn) {
                Some(key) => self.gateway.tables.get::<Task>(&key).await?.is_some_and(|task| {
                    is_wanted(&task) && task.container_instance.as_ref() == Some(&self.instance.key)
                }),
                None => false,
            };
            if !wanted {
                stop_tasks.push(candidate);
            }
        }
        if stop_tasks.is_empty() {
            return Ok(());
        }
        let ack = acs::TaskStopVerificationAck {
            generated_at: self.gateway.environment.now().as_millis(),
            message_id: message.message_id,
            stop_tasks,
        };
        self.command(ack.into(), socket).await
    }
}

fn is_wanted(task: &Task) -> bool {
    (task.desired_status == DesiredStatus::Running || task.is_draining())
        && task.last_status < TaskStatus::Deprovisioning
}

/// What an agent is to do with a task. Requests that load balancers have sent to a draining task are still on their way.
fn desired(task: &Task) -> DesiredStatus {
    if task.is_draining() { DesiredStatus::Running } else { task.desired_status }
}

/// What an agent must be told of a task: to run it, until it reports that it does; to stop it, until it has.
fn to_send(task: &Task) -> Option<DesiredStatus> {
    if task.is_draining() {
        return None;
    }
    match (task.desired_status, task.last_status) {
        (DesiredStatus::Running, TaskStatus::Pending) => Some(DesiredStatus::Running),
        (
            DesiredStatus::Stopped,
            TaskStatus::Pending
            | TaskStatus::Activating
            | TaskStatus::Running
            | TaskStatus::Deactivating
            | TaskStatus::Stopping,
        ) => Some(DesiredStatus::Stopped),
        (
            DesiredStatus::Running,
            TaskStatus::Provisioning
            | TaskStatus::Activating
            | TaskStatus::Running
            | TaskStatus::Deactivating
            | TaskStatus::Stopping
            | TaskStatus::Deprovisioning
            | TaskStatus::Stopped,
        )
        | (
            DesiredStatus::Stopped,
            TaskStatus::Provisioning | TaskStatus::Deprovisioning | TaskStatus::Stopped,
        ) => None,
    }
}
