//! The actions of a task, each ending in an event.

use super::advance::Event;
use super::definition::{ImageAccess, TaskDefinition, holder, set_variable};
use super::secrets::{TaskSecrets, attempts};
use super::{Done, Host};
use crate::api::{TaskApi, Version};
use crate::engine::{ContainerPlan, Probe, PulledImage, SandboxEvent};
use crate::logs;
use container_image::BasicAuth;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How long a task that is over waits for its output to be accepted.
const FLUSH_TIME: Duration = Duration::from_secs(60);
/// Attempts to remove a sandbox before it is left to the next start of the agent.
const REMOVE_ATTEMPTS: u32 = 6;
/// Why a task cannot start whose execution role may not do what it needs.
const NO_RESOURCES: &str = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource \
                            retrieval failed";
/// Why a container does not run.
const CANNOT_START: &str = "CannotStartContainerError";
/// Most of a check's output that is kept.
const MOST_OUTPUT: usize = 4096;

pub(super) async fn pull(host: Arc<Host>, task: Arc<TaskDefinition>, api: TaskApi, index: usize) -> Done {
    let container = &task.containers[index];
    let pulled = async {
        let auth = image_auth(&host, &api, &container.access).await;
        let auth = auth.map_err(|cause| format!("{NO_RESOURCES}: {cause}"))?;
        let holder = holder(&task.id, index);
        let pulled = host.engine.pull(&container.image, auth, &holder).await;
        pulled.map_err(|error| format!("CannotPullContainerError: {error}"))
    };
    let result: Result<PulledImage, String> = pulled.await;
    Done::Pulled(index, result.map(Box::new))
}

/// User and password for an image's registry.
async fn image_auth(host: &Host, api: &TaskApi, access: &ImageAccess) -> Result<Option<BasicAuth>, String> {
    match access {
        ImageAccess::Public => Ok(None),
        ImageAccess::Ecr => {
            let auth = attempts(&host.environment, || api.registry_auth()).await;
            auth.map(Some).map_err(|(attempts, error)| {
                format!(
                    "unable to retrieve ecr registry auth: service call has been retried {attempts} time(s): {error}"
                )
            })
        }
        ImageAccess::Secret(id) => {
            let fetch = || api.secret_value(id, Version::default());
            let fetched = attempts(&host.environment, fetch).await;
            let text = fetched.map_err(|(attempts, error)| {
                format!(
                    "unable to retrieve registry auth from asm: service call has been retried {attempts} time(s): \
                     failed to fetch secret {id} from secrets manager: {error}"
                )
            })?;
            // What is wrong with the text is not said, for that would repeat some of it.
            let auth = text.and_then(|text| serde_json::from_str::<RegistryLogin>(&text).ok());
            let auth = auth.ok_or_else(|| {
                format!("unable to retrieve registry auth from asm: {id} has no username and password")
            })?;
            Ok(Some(BasicAuth { username: auth.username, password: auth.password }))
        }
    }
}

/// What a secret with a registry's credentials holds.
#[derive(Deserialize)]
struct RegistryLogin {
    username: String,
    password: String,
}

/// Network and sandbox with its volumes, secrets and log streams, all at once.
pub(super) async fn make_sandbox(
    host: Arc<Host>,
    task: Arc<TaskDefinition>,
    api: TaskApi,
    secrets: TaskSecrets,
    events: mpsc::Sender<SandboxEvent>,
) -> Done {
    let plan = task.sandbox_plan();
    let sandbox = async {
        let made = host.engine.create_sandbox(&plan, events).await;
        made.map_err(|error| format!("ResourceInitializationError: {error}"))?;
        let endpoint = host.engine.endpoint(&plan.id, plan.address).await;
        endpoint.map_err(|error| format!("ResourceInitializationError: {error}"))
    };
    let fetched = async {
        let fetched = secrets.get(&task.containers, &api, &host.environment).await;
        fetched.map(|_| ()).map_err(|cause| format!("{NO_RESOURCES}: {cause}"))
    };
    // Wait for all even if one fails: what is half made must not appear after its removal.
    let (sandbox, streams, fetched) = tokio::join!(sandbox, make_streams(&host, &api, &task), fetched);
    match fetched.and(streams).and(sandbox) {
        Ok(endpoint) => Done::SandboxMade(endpoint),
        Err(reason) => Done::Event(Event::SandboxMade(Err(reason))),
    }
}

async fn make_streams(host: &Host, api: &TaskApi, task: &TaskDefinition) -> Result<(), String> {
    let streams = task.containers.iter().filter_map(|container| container.logs.as_ref());
    let made = futures::future::try_join_all(
        streams.map(|logs| attempts(&host.environment, || logs::prepare(api, logs))),
    );
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
    api: TaskApi,
    secrets: TaskSecrets,
    container: usize,
    mut plan: ContainerPlan,
) -> Done {
    let started = async {
        if plan.argv.is_empty() {
            return Err(format!("{CANNOT_START}: no command specified"));
        }
        // They are here already, unless the agent was restarted after it had made the sandbox.
        let values = secrets.get(&task.containers, &api, &host.environment).await;
        let values = values.map_err(|cause| format!("{NO_RESOURCES}: {cause}"))?;
        for (name, value) in &values[container] {
            set_variable(&mut plan.env, name, value);
        }
        let holder = holder(&task.id, container);
        let started = host.engine.start(&task.id, &plan, &holder).await;
        started.map_err(|error| format!("{CANNOT_START}: {error}"))
    };
    let result = started.await;
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
