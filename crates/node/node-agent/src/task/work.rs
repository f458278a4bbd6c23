//! The actions of a task, each ending in an event.

use super::advance::Event;
use super::definition::{TaskDefinition, holder};
use super::{Done, Host};
use crate::disk;
use crate::engine::{ContainerPlan, Probe, PulledImage, SandboxEvent};
use crate::logs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How long a task that is over waits for its output to be accepted.
const FLUSH_TIME: Duration = Duration::from_secs(60);
/// Attempts to remove a sandbox before it is left to the next start of the agent.
const REMOVE_ATTEMPTS: u32 = 6;
/// Attempts to make log streams while the service cannot be reached.
const STREAM_ATTEMPTS: u32 = 5;
/// Most of a check's output that is kept.
const MOST_OUTPUT: usize = 4096;

pub(super) async fn pull(host: Arc<Host>, task: Arc<TaskDefinition>, index: usize) -> Done {
    let container = &task.containers[index];
    let pulled = async {
        let auth = if container.ecr {
            Some(host.api.registry_auth().await.map_err(|error| error.to_string())?)
        } else {
            None
        };
        let holder = holder(&task.id, index);
        host.engine.pull(&container.image, auth, &holder).await.map_err(|error| error.to_string())
    };
    let result: Result<PulledImage, String> = pulled.await;
    Done::Pulled(index, result.map(Box::new))
}

/// Network and sandbox, volumes and log streams, all at once.
pub(super) async fn make_sandbox(
    host: Arc<Host>,
    task: Arc<TaskDefinition>,
    volumes: PathBuf,
    events: mpsc::Sender<SandboxEvent>,
) -> Done {
    let plan = task.sandbox_plan();
    let sandbox = async {
        let made = host.engine.create_sandbox(&plan, events).await;
        made.map_err(|error| format!("ResourceInitializationError: {error}"))
    };
    let directories = async {
        for volume in &task.volumes {
            let made = disk::make_dir(&volumes.join(volume)).await;
            made.map_err(|error| format!("ResourceInitializationError: {error}"))?;
        }
        Ok(())
    };
    // Wait for all even if one fails: what is half made must not appear after its removal.
    let (sandbox, directories, streams) = tokio::join!(sandbox, directories, make_streams(&host, &task));
    Done::Event(Event::SandboxMade(sandbox.and(directories).and(streams)))
}

async fn make_streams(host: &Host, task: &TaskDefinition) -> Result<(), String> {
    let streams = task.containers.iter().filter_map(|container| container.logs.as_ref());
    let made = futures::future::try_join_all(streams.map(|logs| async move {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match logs::prepare(&host.api, logs).await {
                Err(error) if error.is_retryable() && attempt < STREAM_ATTEMPTS => {
                    host.environment.sleep(Duration::from_millis(100) * attempt).await;
                }
                other => return other.map_err(|error| (attempt, error)),
            }
        }
    }));
    let refused = |(attempts, error)| {
        format!(
            "ResourceInitializationError: failed to validate logger args: create stream has been retried \
             {attempts} times: failed to create Cloudwatch log stream: {error}"
        )
    };
    made.await.map(|_| ()).map_err(refused)
}

pub(super) async fn start(
    host: Arc<Host>,
    task: Arc<TaskDefinition>,
    container: usize,
    plan: ContainerPlan,
) -> Done {
    let result = if plan.argv.is_empty() {
        Err("no command specified".to_owned())
    } else {
        let holder = holder(&task.id, container);
        host.engine.start(&task.id, &plan, &holder).await.map_err(|error| error.to_string())
    };
    Done::Event(Event::Started { container, result })
}

pub(super) async fn signal(host: Arc<Host>, task: Arc<TaskDefinition>, index: usize, signal: String) -> Done {
    let container = &task.containers[index].name;
    if let Err(error) = host.engine.signal(&task.id, container, &signal).await {
        // The stop timeout kills what was not reached; what cannot be killed either shows in the log only.
        tracing::warn!(task = task.id, container, signal, %error, "cannot signal a container");
    }
    Done::Nothing
}

pub(super) async fn check(host: Arc<Host>, task: Arc<TaskDefinition>, container: usize) -> Done {
    let definition = &task.containers[container];
    let Some(check) = &definition.health_check else { return Done::Nothing };
    let probe = Probe { argv: check.argv.clone(), timeout: check.timeout };
    let (passed, mut output) = match host.engine.probe(&task.id, &definition.name, &probe).await {
        Ok(end) => (end.code == Some(0), end.output),
        Err(error) => (false, error.to_string()),
    };
    let end = (0..=MOST_OUTPUT.min(output.len())).rev().find(|end| output.is_char_boundary(*end));
    output.truncate(end.unwrap_or(0));
    Done::Event(Event::Checked { container, passed, output })
}

/// Lets the output arrive, then leaves nothing behind.
pub(super) async fn remove(
    host: Arc<Host>,
    task: Arc<TaskDefinition>,
    shippers: Vec<JoinHandle<()>>,
) -> Done {
    let aborts: Vec<_> = shippers.iter().map(JoinHandle::abort_handle).collect();
    tokio::select! {
        _ = futures::future::join_all(shippers) => {}
        () = host.environment.sleep(FLUSH_TIME) => {
            tracing::error!(task = task.id, "output was not accepted in time and is lost");
            aborts.iter().for_each(tokio::task::AbortHandle::abort);
        }
    }
    for attempt in 1..=REMOVE_ATTEMPTS {
        match host.engine.remove_sandbox(&task.id).await {
            Ok(()) => break,
            Err(error) => {
                tracing::warn!(task = task.id, attempt, %error, "cannot remove a sandbox");
                host.environment.sleep(Duration::from_millis(100) * attempt).await;
            }
        }
    }
    for container in 0..task.containers.len() {
        host.engine.release(&holder(&task.id, container)).await;
    }
    Done::Event(Event::Removed)
}
