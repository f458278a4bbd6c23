//! The session for telemetry: health as it changes, and use of resources every 20 seconds.

mod metrics;

use crate::agent::Shared;
use crate::backoff::Backoff;
use crate::socket::{Socket, SocketError, address};
use crate::task::TaskHandle;
use crate::task::health::Health;
use agent_wire::{TcsAnswer, TcsReport, WireError, tcs};
use environment::Timestamp;
use metrics::Meter;
use std::time::Duration;

/// Time between two reports of everything.
const INTERVAL: Duration = Duration::from_secs(20);
/// A server that is silent for so long is taken as gone; it answers each report.
const SILENCE: Duration = Duration::from_secs(90);
/// Pauses between attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MOST_PAUSE: Duration = Duration::from_secs(60);
/// A connection that held this long makes the next attempt an early one.
const GOOD_AFTER: Duration = Duration::from_secs(60);
/// Most tasks of one report.
const MOST_TASKS: usize = 10;

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error(transparent)]
    Socket(#[from] SocketError),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("find the server: {0}")]
    Discover(String),
}

/// Keeps a session open for ever.
pub(crate) async fn run(shared: &Shared) {
    let mut backoff = Backoff::new(FIRST_PAUSE, MOST_PAUSE);
    loop {
        let began = shared.environment.now();
        let Err(error) = session(shared).await;
        tracing::info!(%error, "the session for telemetry ended");
        if shared.environment.now().since(began) > GOOD_AFTER {
            backoff.reset();
        }
        shared.environment.sleep(backoff.next(&shared.environment)).await;
    }
}

async fn session(shared: &Shared) -> Result<std::convert::Infallible, SessionError> {
    let endpoints = shared.endpoints().await.map_err(|error| SessionError::Discover(error.to_string()))?;
    let query = [
        ("agentHash", ""),
        ("agentVersion", shared.version),
        ("cluster", shared.cluster.as_str()),
        ("containerInstance", shared.instance.as_str()),
        ("dockerVersion", ""),
    ];
    let address = address(&endpoints.telemetry_endpoint, &query);
    let mut socket = Socket::dial(&address, &shared.api, &shared.environment).await?;
    let mut meter = Meter::default();
    let mut due = shared.environment.now();
    let mut heard_at = due;
    loop {
        // Registered before looking, so that no change is missed in between.
        let changed = shared.host.health_changed.notified();
        let now = shared.environment.now();
        publish_health(shared, &mut socket).await?;
        if now >= due {
            due = now + INTERVAL;
            for report in meter.reports(shared).await {
                socket.send_signed(&TcsReport::Metrics(report).encode()?).await?;
            }
        }
        tokio::pin!(changed);
        loop {
            tokio::select! {
                frame = socket.receive() => {
                    heard(&frame?);
                    heard_at = shared.environment.now();
                }
                () = &mut changed => break,
                () = shared.environment.sleep_until(due) => break,
                () = shared.environment.sleep_until(heard_at + SILENCE) => return Err(SocketError::Silent.into()),
            }
        }
    }
}

fn heard(frame: &str) {
    match TcsAnswer::decode(frame) {
        Ok(TcsAnswer::Stop(message)) => tracing::info!(message = message.message, "telemetry is not wanted"),
        Ok(_) => {}
        Err(error) => tracing::debug!(%error, "an answer to telemetry cannot be read"),
    }
}

async fn publish_health(shared: &Shared, socket: &mut Socket) -> Result<(), SessionError> {
    let tasks: Vec<tcs::TaskHealth> = shared.supervisor.tasks().iter().filter_map(task_health).collect();
    let count = tasks.chunks(MOST_TASKS).count();
    for (index, tasks) in tasks.chunks(MOST_TASKS).enumerate() {
        let report = tcs::PublishHealthRequest {
            metadata: Some(tcs::HealthMetadata {
                cluster: shared.cluster.clone(),
                container_instance: shared.instance.clone(),
                fin: index + 1 == count,
                message_id: shared.environment.uuid(),
            }),
            tasks: tasks.to_vec(),
            timestamp: seconds(shared.environment.now()),
        };
        socket.send_signed(&TcsReport::Health(report).encode()?).await?;
    }
    Ok(())
}

/// Health of a task's containers; `None` when none has a check.
fn task_health(task: &TaskHandle) -> Option<tcs::TaskHealth> {
    let record = task.record.borrow().clone();
    let containers: Vec<_> = record
        .containers
        .iter()
        .filter_map(|state| {
            let health = state.health.as_ref()?;
            Some(tcs::ContainerHealth {
                container_name: state.name.clone(),
                health_status: Some(match health.health {
                    Health::Healthy => tcs::HealthStatus::Healthy,
                    Health::Unhealthy => tcs::HealthStatus::Unhealthy,
                    Health::Unknown => tcs::HealthStatus::Unknown,
                }),
                status_message: health.output.clone(),
                status_since: health.since.or(state.started_at).map(seconds).unwrap_or_default(),
            })
        })
        .collect();
    (!containers.is_empty()).then(|| tcs::TaskHealth {
        cluster_arn: task.definition.cluster.clone(),
        task_arn: task.definition.arn.clone(),
        task_definition_family: task.definition.family.clone(),
        task_definition_version: task.definition.version.clone(),
        containers,
    })
}

fn seconds(time: Timestamp) -> f64 {
    time.as_millis() as f64 / 1000.0
}
