//! The session for telemetry of one agent.

use crate::Inner;
use crate::convert;
use crate::instance::Instance;
use crate::upgrade::{SessionError, Socket};
use agent_wire::{TcsAnswer, TcsReport, framing, tcs};
use resources::ecs::{HealthStatus, Task};
use std::time::Duration;
use store::StoreError;

/// Time between two heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// An agent that reports nothing for so long is taken as gone; it reports every 20 seconds.
const SILENCE: Duration = Duration::from_secs(90);

/// Serves an agent until it or the connection goes. Frames carry signatures of their own; the connection they come
/// over was authenticated already, so the reports count without them.
pub(crate) async fn session(
    gateway: &Inner,
    instance: &Instance,
    socket: &mut Socket,
) -> Result<(), SessionError> {
    let mut heard_at = gateway.environment.now();
    let mut heartbeat_at = heard_at + HEARTBEAT;
    loop {
        tokio::select! {
            frame = socket.receive() => {
                heard_at = gateway.environment.now();
                if let Some(answer) = take(gateway, instance, &frame?).await? {
                    socket.send(answer.encode()?).await?;
                }
            }
            () = gateway.environment.sleep_until(heartbeat_at) => {
                heartbeat_at = gateway.environment.now() + HEARTBEAT;
                socket.send(TcsAnswer::from(tcs::HeartbeatMessage { healthy: true }).encode()?).await?;
            }
            () = gateway.environment.sleep_until(heard_at + SILENCE) => return Err(SessionError::Silent),
        }
    }
}

/// Takes a report; answers the acknowledgement. Metrics are acknowledged and not kept: no service reads them yet.
async fn take(gateway: &Inner, instance: &Instance, frame: &str) -> Result<Option<TcsAnswer>, StoreError> {
    let report = framing::split(frame).and_then(|framed| TcsReport::decode(framed.json));
    Ok(match report {
        Ok(TcsReport::Health(report)) => {
            for task in &report.tasks {
                note_health(gateway, instance, task).await?;
            }
            Some(tcs::AckPublishHealth { message: message_id(report.metadata.map(|m| m.message_id)) }.into())
        }
        Ok(TcsReport::Metrics(report)) => {
            Some(tcs::AckPublishMetric { message: message_id(report.metadata.map(|m| m.message_id)) }.into())
        }
        Ok(TcsReport::InstanceStatus(report)) => {
            let id = message_id(report.metadata.map(|m| m.request_id));
            Some(tcs::AckPublishInstanceStatus { message: id }.into())
        }
        Ok(TcsReport::Unknown(kind)) => {
            tracing::debug!(kind, "a report of an unknown type is left out");
            None
        }
        Err(error) => {
            tracing::warn!(instance = instance.key, %error, "a report cannot be read and is left out");
            None
        }
    })
}

fn message_id(id: Option<String>) -> String {
    id.unwrap_or_default()
}

/// Writes a task's health down when it changed, and only if the task is this agent's.
async fn note_health(
    gateway: &Inner,
    instance: &Instance,
    report: &tcs::TaskHealth,
) -> Result<(), StoreError> {
    let Some(key) = convert::task_key(&gateway.region, &report.task_arn) else { return Ok(()) };
    let change = |old: &Task| {
        if old.container_instance.as_ref() != Some(&instance.key) {
            return Ok(None);
        }
        let mut new = old.clone();
        for health in &report.containers {
            let status = match health.health_status {
                Some(tcs::HealthStatus::Healthy) => HealthStatus::Healthy,
                Some(tcs::HealthStatus::Unhealthy) => HealthStatus::Unhealthy,
                Some(tcs::HealthStatus::Unknown | tcs::HealthStatus::Unrecognized) | None => {
                    HealthStatus::Unknown
                }
            };
            let named = new.containers.iter_mut().filter(|container| container.name == health.container_name);
            named.for_each(|container| container.health = status);
        }
        let same = new.containers.iter().zip(&old.containers).all(|(new, old)| new.health == old.health);
        new.version += 1;
        Ok::<_, StoreError>((!same).then_some(new))
    };
    gateway.tables.update(&key, change).await.map(|_| ())
}
