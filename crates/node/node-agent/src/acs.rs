//! The session for commands: payloads, manifests, heartbeats.

use crate::agent::Shared;
use crate::backoff::Backoff;
use crate::disk::DiskError;
use crate::roles::RoleKind;
use crate::socket::{Socket, SocketError, address};
use agent_wire::{AcsCommand, AcsReply, WireError, acs};
use std::time::Duration;

/// A server that is silent for so long is taken as gone; it sends heartbeats more often.
const SILENCE: Duration = Duration::from_secs(90);
/// A connection is renewed after so long.
const LIFE: Duration = Duration::from_secs(30 * 60);
/// Pauses between attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const MOST_PAUSE: Duration = Duration::from_secs(120);
/// A connection that held this long makes the next attempt an early one.
const GOOD_AFTER: Duration = Duration::from_secs(60);
/// Pause when the server does not know this instance.
const INACTIVE_PAUSE: Duration = Duration::from_secs(60);

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error(transparent)]
    Socket(#[from] SocketError),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("keep what the server sent")]
    Disk(#[from] DiskError),
    #[error("find the server: {0}")]
    Discover(String),
}

/// Keeps a session open for ever.
pub(crate) async fn run(shared: &Shared) {
    let mut backoff = Backoff::new(FIRST_PAUSE, MOST_PAUSE);
    let mut send_credentials = true;
    loop {
        let began = shared.environment.now();
        let ended = session(shared, send_credentials).await;
        let lasted = shared.environment.now().since(began);
        let pause = match ended {
            Ok(()) => {
                send_credentials = false;
                Duration::ZERO
            }
            Err(SessionError::Socket(SocketError::Refused(refusal)))
                if refusal.kind == "InactiveInstanceException" =>
            {
                tracing::error!(
                    message = refusal.message,
                    "the server does not know this container instance"
                );
                INACTIVE_PAUSE
            }
            Err(error) => {
                tracing::info!(%error, "the session for commands ended");
                if lasted > GOOD_AFTER {
                    backoff.reset();
                    send_credentials = false;
                }
                backoff.next(&shared.environment)
            }
        };
        shared.environment.sleep(pause).await;
    }
}

async fn session(shared: &Shared, send_credentials: bool) -> Result<(), SessionError> {
    let endpoints = shared.endpoints().await.map_err(|error| SessionError::Discover(error.to_string()))?;
    let address = address(
        &endpoints.endpoint,
        &[
            ("agentHash", ""),
            ("agentVersion", shared.version),
            ("clusterArn", &shared.cluster),
            ("containerInstanceArn", &shared.instance),
            ("dockerVersion", ""),
            ("protocolVersion", "2"),
            ("sendCredentials", if send_credentials { "true" } else { "false" }),
            ("seqNum", "1"),
        ],
    );
    let mut socket = Socket::dial(&address, &shared.api, &shared.environment).await?;
    tracing::info!("the session for commands is open");
    let over_at = shared.environment.now() + LIFE;
    loop {
        let silent_at = shared.environment.now() + SILENCE;
        let frame = tokio::select! {
            frame = socket.receive() => frame?,
            () = shared.environment.sleep_until(silent_at) => return Err(SocketError::Silent.into()),
            () = shared.environment.sleep_until(over_at) => {
                socket.close().await;
                return Ok(());
            }
        };
        let command = match AcsCommand::decode(&frame) {
            Ok(command) => command,
            Err(error) => {
                tracing::warn!(%error, "a command cannot be read and is left out");
                continue;
            }
        };
        for reply in obey(shared, command).await? {
            socket.send(reply.encode()?).await?;
        }
    }
}

/// Carries out a command; answers what to reply.
async fn obey(shared: &Shared, command: AcsCommand) -> Result<Vec<AcsReply>, DiskError> {
    let ack = |message_id: String| -> AcsReply {
        acs::AckRequest {
            cluster: shared.cluster.clone(),
            container_instance: shared.instance.clone(),
            message_id,
        }
        .into()
    };
    Ok(match command {
        AcsCommand::Heartbeat(heartbeat) => {
            vec![acs::HeartbeatAckRequest { message_id: heartbeat.message_id }.into()]
        }
        AcsCommand::Payload(payload) => payload_replies(shared, payload, ack).await?,
        AcsCommand::TaskManifest(manifest) => manifest_replies(shared, manifest, ack).await?,
        AcsCommand::TaskStopVerificationAck(verified) => {
            stop_verified(shared, &verified);
            vec![]
        }
        AcsCommand::RoleCredentials(message) => take_credentials(shared, &message),
        AcsCommand::AttachTaskInterfaces(message) => vec![ack(message.message_id)],
        AcsCommand::AttachInstanceInterfaces(message) => vec![ack(message.message_id)],
        AcsCommand::ConfirmAttachment(message) => vec![ack(message.message_id)],
        AcsCommand::StageUpdate(message) => vec![no_update(shared, message.message_id)],
        AcsCommand::PerformUpdate(message) => vec![no_update(shared, message.message_id)],
        AcsCommand::Close(message) => {
            tracing::info!(message = message.message, "the server is about to close");
            vec![]
        }
        AcsCommand::Error(message) => {
            tracing::warn!(message = message.message, "the server reports an error");
            vec![]
        }
        AcsCommand::Unknown(kind) => {
            tracing::debug!(kind, "a command of an unknown type is left out");
            vec![]
        }
    })
}

async fn payload_replies(
    shared: &Shared,
    payload: acs::PayloadMessage,
    ack: impl Fn(String) -> AcsReply,
) -> Result<Vec<AcsReply>, DiskError> {
    if payload.message_id.is_empty() {
        return Ok(vec![]);
    }
    let mut all_read = true;
    // Those that stop first make room for the others.
    let (stopping, starting): (Vec<_>, Vec<_>) =
        payload.tasks.iter().partition(|task| task.desired_status == "STOPPED");
    for task in stopping.into_iter().chain(starting) {
        all_read &= shared.supervisor.accept(task).await?;
    }
    shared.note_sequence(i64::from(payload.seq_num)).await?;
    if !all_read {
        // The published agent does not acknowledge such a payload either; the server learns by the task's report.
        return Ok(vec![]);
    }
    let mut replies = vec![ack(payload.message_id.clone())];
    for task in &payload.tasks {
        replies.extend(credentials_ack(&payload.message_id, task.role_credentials.as_ref()));
        replies.extend(credentials_ack(&payload.message_id, task.execution_role_credentials.as_ref()));
    }
    Ok(replies)
}

/// Credentials for a task that is here are acknowledged; for another the server need not send them again either, as it
/// learns from the task's reports that it is over.
fn take_credentials(shared: &Shared, message: &acs::IAMRoleCredentialsMessage) -> Vec<AcsReply> {
    let task = message.task_arn.rsplit('/').next().and_then(|id| shared.supervisor.get(id));
    let kind = match message.role_type {
        Some(acs::RoleType::TaskApplication) => RoleKind::Task,
        Some(acs::RoleType::TaskExecution) => RoleKind::Execution,
        None | Some(acs::RoleType::Unrecognized) => {
            tracing::warn!(task = message.task_arn, "credentials of an unknown kind of role are left out");
            return vec![];
        }
    };
    if let (Some(task), Some(credentials)) = (task, &message.role_credentials) {
        task.roles.take(kind, credentials);
        tracing::debug!(
            task = task.definition.id,
            ?kind,
            expires = credentials.expiration,
            "new credentials"
        );
    }
    credentials_ack(&message.message_id, message.role_credentials.as_ref())
}

fn credentials_ack(message_id: &str, credentials: Option<&acs::IAMRoleCredentials>) -> Vec<AcsReply> {
    let ack = |credentials: &acs::IAMRoleCredentials| {
        acs::IAMRoleCredentialsAckRequest {
            message_id: message_id.to_owned(),
            credentials_id: credentials.credentials_id.clone(),
            expiration: credentials.expiration.clone(),
        }
        .into()
    };
    credentials.map(ack).into_iter().collect()
}

async fn manifest_replies(
    shared: &Shared,
    manifest: acs::TaskManifestMessage,
    ack: impl Fn(String) -> AcsReply,
) -> Result<Vec<AcsReply>, DiskError> {
    if !shared.note_sequence(manifest.timeline).await? {
        return Ok(vec![]);
    }
    let wanted =
        |arn: &str| manifest.tasks.iter().any(|t| t.task_arn == arn && t.desired_status == "RUNNING");
    let candidates: Vec<acs::TaskIdentifier> = shared
        .supervisor
        .tasks()
        .into_iter()
        .filter(|task| !task.record.borrow().stopping && !wanted(&task.definition.arn))
        .map(|task| acs::TaskIdentifier {
            desired_status: "STOPPED".to_owned(),
            task_arn: task.definition.arn.clone(),
            task_cluster_arn: task.definition.cluster.clone(),
        })
        .collect();
    let mut replies = vec![ack(manifest.message_id.clone())];
    if !candidates.is_empty() {
        let message_id = manifest.message_id;
        replies.push(acs::TaskStopVerificationMessage { message_id, stop_candidates: candidates }.into());
    }
    Ok(replies)
}

fn stop_verified(shared: &Shared, verified: &acs::TaskStopVerificationAck) {
    for task in &verified.stop_tasks {
        if let Some(known) = task.task_arn.rsplit('/').next().and_then(|id| shared.supervisor.get(id)) {
            tracing::warn!(task = known.definition.id, "the server does not want this task any more");
            known.stop();
        }
    }
}

fn no_update(shared: &Shared, message_id: String) -> AcsReply {
    acs::NackRequest {
        cluster: shared.cluster.clone(),
        container_instance: shared.instance.clone(),
        message_id,
        reason: "Updates are disabled".to_owned(),
    }
    .into()
}
