//! The actions of a task, each ending in an event.

use super::advance::Event;
use super::definition::{ImageAccess, TaskDefinition, holder, set_variable};
use super::secrets::{TaskSecrets, attempts};
use super::{Done, Host};
use crate::api::{TaskApi, Version};
use crate::disk;
use crate::engine::{
    ContainerPlan, MountOrigin, MountPlan, PROXY, Probe, PulledImage, SandboxEvent, TmpfsPlan,
};
use crate::logs::firelens::SOCKET_DIRECTORY;
use crate::logs::{self, AwsLogs, Collector, Destination, LogOutput, Origin, Routing, Shipper, Splunk};
use crate::task::record::TaskRecord;
use container_image::BasicAuth;
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
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
    let streams = make_streams(&host, &api, &task);
    let collectors = async {
        // The token may be one of the secrets.
        find_collectors(&host, &api, &secrets, &task).await
    };
    let (sandbox, streams, fetched, collectors) = tokio::join!(sandbox, streams, fetched, collectors);
    match fetched.and(streams).and(collectors).and(sandbox) {
        Ok(endpoint) => Done::SandboxMade(endpoint),
        Err(reason) => Done::Event(Event::SandboxMade(Err(reason))),
    }
}

async fn make_streams(host: &Host, api: &TaskApi, task: &TaskDefinition) -> Result<(), String> {
    let streams = task.containers.iter().filter_map(|container| container.logs.as_ref()?.stream());
    let streams = streams.chain(task.proxy.as_ref().and_then(|proxy| proxy.logs.as_ref()));
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

/// Asks the collectors of Splunk whether they are there.
async fn find_collectors(
    host: &Host,
    api: &TaskApi,
    secrets: &TaskSecrets,
    task: &TaskDefinition,
) -> Result<(), String> {
    for index in 0..task.containers.len() {
        let collector = collector(host, api, secrets, task, index).await;
        let Some((splunk, collector)) = collector.transpose()? else { continue };
        if splunk.verify {
            collector.verify(&splunk, &host.environment).await.map_err(|error| {
                format!("ResourceInitializationError: failed to initialize logging driver: splunk: {error}")
            })?;
        }
    }
    Ok(())
}

/// The collector of a container whose output goes to one.
pub(super) async fn collector(
    host: &Host,
    api: &TaskApi,
    secrets: &TaskSecrets,
    task: &TaskDefinition,
    index: usize,
) -> Option<Result<(Splunk, Collector), String>> {
    let Some(LogOutput::Splunk(splunk)) = &task.containers[index].logs else { return None };
    let made = async {
        let values = secrets.get(&task.containers, api, &host.environment).await;
        let values = values.map_err(|cause| format!("{NO_RESOURCES}: {cause}"))?;
        let secret = values[index].log_options.iter().find(|(name, _)| name == "splunk-token");
        let token = secret.map(|(_, value)| value.clone()).or_else(|| splunk.token.clone().map(Into::into));
        let token = token.ok_or("ResourceInitializationError: splunk-token is missing")?;
        let collector = Collector::new(&token, task.network.hostname.clone());
        let collector = collector.map_err(|error| format!("ResourceInitializationError: splunk: {error}"))?;
        Ok((splunk.clone(), collector))
    };
    Some(made.await)
}

pub(super) async fn start(
    host: Arc<Host>,
    task: Arc<TaskDefinition>,
    api: TaskApi,
    secrets: TaskSecrets,
    container: usize,
    mut plan: ContainerPlan,
    dir: PathBuf,
) -> Done {
    let started = async {
        if plan.argv.is_empty() {
            return Err(format!("{CANNOT_START}: no command specified"));
        }
        // They are here already, unless the agent was restarted after it had made the sandbox.
        let values = secrets.get(&task.containers, &api, &host.environment).await;
        let values = values.map_err(|cause| format!("{NO_RESOURCES}: {cause}"))?;
        for (name, value) in &values[container].variables {
            set_variable(&mut plan.env, name, value);
        }
        if let Some((path, text)) = task.router_configuration(container) {
            let file = dir.join(format!("router-{container}.conf"));
            disk::write_text(&file, &text).await.map_err(|error| format!("{CANNOT_START}: {error}"))?;
            plan.mounts.push(MountPlan {
                source: MountOrigin::Host(file),
                target: path.to_owned(),
                read_only: true,
            });
            plan.tmpfs.push(TmpfsPlan {
                target: SOCKET_DIRECTORY.to_owned(),
                options: ["size=1m", "mode=1777"].map(str::to_owned).to_vec(),
            });
            for (index, routed) in task.routed_by(container) {
                for (name, value) in &values[index].log_options {
                    if let Some(variable) = routed.secrets.get(name) {
                        set_variable(&mut plan.env, variable, value);
                    }
                }
            }
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
    match host.engine.signal(&task.id, container, &signal).await {
        Ok(()) => Done::Event(Event::Signalled(index)),
        Err(error) => {
            // The stop timeout kills what was not reached; what cannot be killed either shows in the log only.
            tracing::warn!(task = task.id, container, signal, %error, "cannot signal a container");
            Done::Nothing
        }
    }
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

/// A container's output, and all that is needed to send it.
pub(super) struct Output {
    pub(super) host: Arc<Host>,
    pub(super) task: Arc<TaskDefinition>,
    pub(super) api: TaskApi,
    pub(super) secrets: TaskSecrets,
    pub(super) index: usize,
    pub(super) run: u32,
    pub(super) output: LogOutput,
    pub(super) runtime_id: String,
    pub(super) record: watch::Receiver<Arc<TaskRecord>>,
    pub(super) position: PathBuf,
    pub(super) ended: Arc<Notify>,
}

/// Sends a container's output until it has ended and all is sent.
pub(super) async fn ship(output: Output) {
    let Output { host, task, api, secrets, index, run, output, runtime_id, record, position, ended } = output;
    let name = task.containers[index].name.clone();
    let destination = match output {
        LogOutput::AwsLogs(logs) => Destination::AwsLogs(logs),
        LogOutput::Firelens(routed) => Destination::Routed(Routing::new(
            &task.id,
            &task.containers[routed.router].name,
            Origin { tag: routed.tag, container_id: runtime_id, container_name: format!("/{name}") },
            record,
            routed.router,
        )),
        LogOutput::Splunk(_) => match collector(&host, &api, &secrets, &task, index).await {
            Some(Ok(collector)) => Destination::Splunk(Box::new(collector)),
            Some(Err(error)) => {
                tracing::error!(task = task.id, container = name, error, "output is lost");
                return;
            }
            None => return,
        },
    };
    let shipper = Shipper {
        api,
        engine: host.engine.clone(),
        environment: host.environment.clone(),
        sandbox: task.id.clone(),
        container: name,
        run,
        destination,
        position,
        ended,
    };
    shipper.run().await;
}

/// Sends what a task's proxy tells until it has ended and all is sent.
pub(super) async fn ship_proxy(
    host: Arc<Host>,
    task: Arc<TaskDefinition>,
    api: TaskApi,
    logs: AwsLogs,
    position: PathBuf,
) {
    let shipper = Shipper {
        api,
        engine: host.engine.clone(),
        environment: host.environment.clone(),
        sandbox: task.id.clone(),
        container: PROXY.to_owned(),
        run: 0,
        destination: Destination::AwsLogs(logs),
        position,
        ended: Arc::default(),
    };
    shipper.run().await;
}

/// Lets the output arrive, then leaves nothing behind.
pub(super) async fn remove(
    host: Arc<Host>,
    task: Arc<TaskDefinition>,
    shippers: Vec<JoinHandle<()>>,
    agents: Vec<JoinHandle<()>>,
) -> Done {
    host.engine.end_proxy(&task.id).await;
    let aborts: Vec<_> = shippers.iter().chain(&agents).map(JoinHandle::abort_handle).collect();
    tokio::select! {
        _ = futures::future::join_all(shippers.into_iter().chain(agents)) => {}
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
