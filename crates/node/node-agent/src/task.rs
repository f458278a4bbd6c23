//! One task: a runner that owns its record and carries out what `advance` says.

pub(crate) mod advance;
pub(crate) mod definition;
pub(crate) mod health;
pub(crate) mod record;
pub(crate) mod secrets;
#[cfg(test)]
pub(crate) mod testing;
mod work;

use crate::api::{Api, TaskApi};
use crate::backoff::Backoff;
use crate::disk;
use crate::endpoint::{self, Endpoint, Serving};
use crate::engine::{Engine, PulledImage, SandboxEvent};
use crate::exec::ExecAgent;
use crate::roles::{TaskRoles, without_credentials};
use advance::{Action, Event, advance, forget_work};
use container_image::ImageConfig;
use definition::TaskDefinition;
use environment::{Environment, Timestamp};
use record::{Life, SandboxLife, TaskRecord};
use secrets::TaskSecrets;
use std::collections::HashMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

/// Sandbox events that wait for the runner; a sandbox has few.
const EVENT_QUEUE: usize = 64;
/// Runs of a container before the present one whose output is looked after.
const MOST_EARLIER_RUNS: u32 = 4;
/// Pause after work that panicked, so that a lasting fault takes no whole core.
const MEND_PAUSE: Duration = Duration::from_secs(1);
/// Shortest and longest pause between attempts to open the endpoint of a task that runs.
const REOPEN_PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));
/// Files of a task in its directory.
const PAYLOAD_FILE: &str = "task.json";
const STATE_FILE: &str = "state.json";

/// What all runners share.
pub(crate) struct Host {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) api: Arc<Api>,
    pub(crate) environment: Environment,
    /// Told whenever a container's health changes.
    pub(crate) health_changed: Notify,
}

/// What others see of a task.
#[derive(Clone)]
pub(crate) struct TaskHandle {
    pub(crate) definition: Arc<TaskDefinition>,
    pub(crate) record: watch::Receiver<Arc<TaskRecord>>,
    pub(crate) roles: Arc<TaskRoles>,
    stop: Arc<Stop>,
}

/// Tells a runner that its task shall stop.
#[derive(Default)]
struct Stop {
    wanted: Notify,
    /// Why, when the agent wants it and not the server.
    because: parking_lot::Mutex<Option<String>>,
}

impl TaskHandle {
    /// Wants the task stopped.
    pub(crate) fn stop(&self) {
        self.stop.wanted.notify_one();
    }

    /// Stops the task for a reason that its description shows.
    pub(crate) fn stop_because(&self, reason: String) {
        self.stop.because.lock().get_or_insert(reason);
        self.stop();
    }
}

impl Stop {
    fn event(&self) -> Event {
        self.because.lock().take().map_or(Event::StopWanted, Event::Evicted)
    }
}

/// Owns a task until nothing is left to do for it.
pub(crate) struct Runner {
    host: Arc<Host>,
    task: Arc<TaskDefinition>,
    dir: PathBuf,
    record: TaskRecord,
    shown: watch::Sender<Arc<TaskRecord>>,
    stop: Arc<Stop>,
    roles: Arc<TaskRoles>,
    /// Calls as the task's execution role.
    api: TaskApi,
    secrets: TaskSecrets,
    /// Open as long as the sandbox is there.
    endpoint: Option<Serving>,
    sandbox_events: (mpsc::Sender<SandboxEvent>, mpsc::Receiver<SandboxEvent>),
    /// Configurations of the images that are here.
    images: HashMap<usize, ImageConfig>,
    /// Actions and the report under way, each ending in an event.
    work: JoinSet<Done>,
    /// Pulls and sandbox making can be given up when the task is stopped early.
    pulls: Vec<AbortHandle>,
    /// By container and its run.
    shippers: HashMap<Run, Shipping>,
    /// What the proxy tells, on its way.
    proxy_shipper: Option<JoinHandle<()>>,
    /// What runs commands in containers.
    exec_agents: HashMap<usize, Shipping>,
    /// Those whose containers have ended.
    leaving: Vec<JoinHandle<()>>,
    /// What they tell.
    exec_events: (mpsc::Sender<Event>, mpsc::Receiver<Event>),
    /// Which containers' output has gone where it shall, and of which run.
    drained: (mpsc::Sender<Run>, mpsc::Receiver<Run>),
    reporting: bool,
    /// Output is awaited and all is being removed.
    removing: bool,
    /// Some work panicked, so what is under way is not known any more.
    broken: bool,
}

/// A container and which of its runs.
type Run = (usize, u32);

/// What accompanies a container: its output on its way, or what runs commands in it.
struct Shipping {
    task: JoinHandle<()>,
    ended: Arc<Notify>,
}

/// The end of some work.
pub(crate) enum Done {
    Event(Event),
    Pulled(usize, Result<Box<PulledImage>, String>),
    /// With the address at which its containers reach the agent.
    SandboxMade(TcpListener),
    /// The same, for a task that runs already.
    EndpointOpened(TcpListener),
    Nothing,
}

impl Runner {
    /// A runner for a task whose payload is in `dir` already; goes on with the record there, if any.
    pub(crate) async fn open(host: Arc<Host>, task: TaskDefinition, dir: PathBuf) -> (Self, TaskHandle) {
        let stored: Option<TaskRecord> = disk::read(&dir.join(STATE_FILE)).await.unwrap_or_else(|error| {
            tracing::warn!(task = task.id, %error, "the state of a task is lost");
            None
        });
        let fits = |record: &TaskRecord| {
            let names = record.containers.iter().map(|state| &state.name);
            names.eq(task.containers.iter().map(|container| &container.name))
        };
        let record = stored.filter(fits).unwrap_or_else(|| {
            TaskRecord::new(task.containers.iter().map(|c| (c.name.as_str(), c.health_check.is_some())))
        });
        let (shown, watched) = watch::channel(Arc::new(record.clone()));
        let task = Arc::new(task);
        let stop = Arc::new(Stop::default());
        let roles = Arc::new(TaskRoles::default());
        let handle = TaskHandle {
            definition: task.clone(),
            record: watched,
            roles: roles.clone(),
            stop: stop.clone(),
        };
        let runner = Self {
            api: TaskApi::new(host.api.clone(), &task.arn, task.has_execution_role.then(|| roles.clone())),
            secrets: TaskSecrets::default(),
            endpoint: None,
            roles,
            host,
            task,
            dir,
            record,
            shown,
            stop,
            sandbox_events: mpsc::channel(EVENT_QUEUE),
            images: HashMap::new(),
            work: JoinSet::new(),
            pulls: Vec::new(),
            shippers: HashMap::new(),
            proxy_shipper: None,
            drained: mpsc::channel(EVENT_QUEUE),
            exec_agents: HashMap::new(),
            leaving: Vec::new(),
            exec_events: mpsc::channel(EVENT_QUEUE),
            reporting: false,
            removing: false,
            broken: false,
        };
        (runner, handle)
    }

    /// Runs until the task is over and its directory removed. Dropping it leaves the task as it is, to be opened again.
    pub(crate) async fn run(mut self, resumed: bool) {
        if resumed {
            self.resume().await;
        }
        let mut wake_at = self.step(Event::Tick).await;
        while !self.record.is_over() {
            let environment = self.host.environment.clone();
            let event = tokio::select! {
                Some(event) = self.sandbox_events.1.recv() => self.translate(event),
                Some(event) = self.exec_events.1.recv() => Some(event),
                Some(done) = self.work.join_next(), if !self.work.is_empty() => self.finished(done),
                Some((container, run)) = self.drained.1.recv() => {
                    let last = self.record.containers[container].restarts == run;
                    last.then_some(Event::Drained(container))
                },
                () = self.stop.wanted.notified() => Some(self.stop.event()),
                () = sleep_until(&environment, wake_at) => Some(Event::Tick),
            };
            if let Some(event) = event {
                wake_at = self.step(event).await;
            }
            if self.broken {
                wake_at = self.mend().await;
            }
        }
        if let Err(error) = disk::remove_dir(&self.dir).await {
            tracing::warn!(task = self.task.id, %error, "the files of a task that is over stay");
        }
        tracing::info!(task = self.task.id, "task is over");
    }

    /// Begins anew from what is on the machine, as after a restart of the agent.
    async fn mend(&mut self) -> Option<Timestamp> {
        self.host.environment.sleep(MEND_PAUSE).await;
        self.work.shutdown().await;
        (self.broken, self.reporting, self.removing) = (false, false, false);
        self.resume().await;
        self.step(Event::Tick).await
    }

    /// Learns what became of the sandbox while no agent ran.
    async fn resume(&mut self) {
        let was_removing = self.record.sandbox == SandboxLife::Removing;
        forget_work(&mut self.record);
        if self.record.sandbox != SandboxLife::Ready {
            // There is nothing to take over; what is half made is made anew.
            return;
        }
        let engine = self.host.engine.clone();
        let id = self.task.id.clone();
        let adopted = engine.adopt(&id, self.sandbox_events.0.clone()).await.unwrap_or_else(|error| {
            tracing::error!(task = id, %error, "cannot adopt a sandbox");
            false
        });
        if !adopted {
            // Nothing can be lost of a sandbox that was being removed.
            if !was_removing {
                self.step(Event::SandboxLost).await;
            }
            return;
        }
        tracing::info!(task = id, "adopted the sandbox of an earlier run");
        let opened = engine.endpoint(&id, self.task.network.address).await;
        let opened =
            opened.map_err(|error| error.to_string()).and_then(|listener| self.open_endpoint(listener));
        if let Err(error) = opened {
            tracing::error!(task = id, error, "cannot open the endpoint of an adopted task again");
            self.reopen_endpoint();
        }
        for container in 0..self.task.containers.len() {
            let name = &self.task.containers[container].name;
            match engine.find(&id, name).await {
                Ok(found) => {
                    self.step(Event::Found { container, found }).await;
                }
                Err(error) => tracing::error!(task = id, name, %error, "cannot learn of a container"),
            }
        }
    }

    /// Tries to open the endpoint of a task that runs, until it is open.
    fn reopen_endpoint(&mut self) {
        let (host, task) = (self.host.clone(), self.task.clone());
        self.work_on("open endpoint", async move {
            let mut backoff = Backoff::new(REOPEN_PAUSES.0, REOPEN_PAUSES.1);
            loop {
                host.environment.sleep(backoff.next(&host.environment)).await;
                match host.engine.endpoint(&task.id, task.network.address).await {
                    Ok(listener) => return Done::EndpointOpened(listener),
                    Err(error) => tracing::debug!(task = task.id, %error, "cannot open the endpoint yet"),
                }
            }
        });
    }

    fn translate(&self, event: SandboxEvent) -> Option<Event> {
        let SandboxEvent::Exited { container, exit } = event;
        let container = self.task.containers.iter().position(|known| known.name == container)?;
        let run = self.record.containers[container].restarts;
        if let Some(shipping) = self.shippers.get(&(container, run)) {
            shipping.ended.notify_one();
        }
        Some(Event::Exited { container, exit })
    }

    fn finished(&mut self, done: Result<Done, tokio::task::JoinError>) -> Option<Event> {
        match done {
            Ok(Done::Event(event)) => {
                if event == Event::Reported {
                    self.reporting = false;
                }
                Some(event)
            }
            Ok(Done::Pulled(container, result)) => {
                let result = result.map(|image| {
                    let facts = (image.digest, image.config.stop_signal.clone());
                    self.images.insert(container, image.config);
                    facts
                });
                Some(Event::Pulled { container, result })
            }
            Ok(Done::SandboxMade(listener)) => {
                let opened = self.open_endpoint(listener);
                Some(Event::SandboxMade(
                    opened.map_err(|error| format!("ResourceInitializationError: {error}")),
                ))
            }
            Ok(Done::EndpointOpened(listener)) => {
                // A task that is being removed needs none any more.
                if !self.removing
                    && let Err(error) = self.open_endpoint(listener)
                {
                    tracing::error!(
                        task = self.task.id,
                        error,
                        "cannot serve the endpoint of an adopted task"
                    );
                    self.reopen_endpoint();
                }
                None
            }
            Ok(Done::Nothing) => None,
            Err(error) => {
                if error.is_panic() {
                    tracing::error!(task = self.task.id, %error, "work of a task panicked");
                    self.broken = true;
                }
                None
            }
        }
    }

    /// Lets containers ask for credentials and metadata.
    fn open_endpoint(&mut self, listener: TcpListener) -> Result<(), String> {
        let endpoint = Endpoint {
            task: self.task.clone(),
            record: self.shown.subscribe(),
            roles: self.roles.clone(),
            engine: self.host.engine.clone(),
            api: self.host.api.clone(),
            environment: self.host.environment.clone(),
            samples: parking_lot::Mutex::default(),
            faults: endpoint::FaultRequests::default(),
        };
        let serving = endpoint::serve(endpoint, listener);
        self.endpoint =
            Some(serving.map_err(|error| format!("answer at the endpoint of the task: {error}"))?);
        Ok(())
    }

    /// Feeds an event and starts what follows from it; answers when to look again.
    async fn step(&mut self, event: Event) -> Option<Timestamp> {
        let before = self.record.clone();
        let outcome = advance(&self.task, &mut self.record, event, self.host.environment.now());
        self.ship_what_started();
        self.tend_exec_agents();
        for action in outcome.actions {
            self.carry_out(action);
        }
        self.report();
        if self.record != before {
            let health = |record: &TaskRecord| -> Vec<_> {
                record
                    .containers
                    .iter()
                    .map(|state| state.health.as_ref().map(|health| health.health))
                    .collect()
            };
            let newly_healthy = health(&before) != health(&self.record);
            self.shown.send_replace(Arc::new(self.record.clone()));
            if newly_healthy {
                self.host.health_changed.notify_waiters();
            }
            if let Err(error) = disk::write(&self.dir.join(STATE_FILE), &self.record).await {
                tracing::error!(task = self.task.id, %error, "cannot keep the state of a task");
            }
        }
        outcome.wake_at
    }

    fn carry_out(&mut self, action: Action) {
        let (host, task) = (self.host.clone(), self.task.clone());
        let (api, secrets) = (self.api.clone(), self.secrets.clone());
        match action {
            Action::Pull(container) => {
                let pull = self.work_on("pull", work::pull(host, task, api, container));
                self.pulls.push(pull);
            }
            Action::MakeSandbox => {
                let events = self.sandbox_events.0.clone();
                self.work_on("make sandbox", work::make_sandbox(host, task, api, secrets, events));
            }
            Action::Start(container) => {
                let image = self.images.get(&container).cloned().unwrap_or_default();
                let mut plan = task.containers[container].plan(&image);
                plan.run = self.record.containers[container].restarts;
                task.introduce(container, &host.api.signer().region, &mut plan);
                let dir = self.dir.clone();
                self.work_on("start", work::start(host, task, api, secrets, container, plan, dir));
            }
            Action::Signal(container, signal) => {
                self.work_on("signal", work::signal(host, task, container, signal));
            }
            Action::Check(container) => {
                self.work_on("check", work::check(host, task, container));
            }
            Action::Remove => {
                self.removing = true;
                self.endpoint = None;
                for pull in self.pulls.drain(..) {
                    pull.abort();
                }
                let shippers = self.shippers.drain().map(|(_, shipping)| shipping.task);
                let shippers = shippers.chain(self.proxy_shipper.take()).collect();
                let agents = self.exec_agents.drain().map(|(_, agent)| agent.leave());
                let agents = agents.chain(self.leaving.drain(..)).collect();
                self.work_on("remove", work::remove(host, task, shippers, agents));
            }
        }
    }

    /// Starts work and logs how long it took.
    fn work_on(
        &mut self,
        name: &'static str,
        work: impl Future<Output = Done> + Send + 'static,
    ) -> AbortHandle {
        let environment = self.host.environment.clone();
        let task = self.task.id.clone();
        self.work.spawn(async move {
            let began = environment.now();
            let done = work.await;
            let ms = environment.now().since(began).as_millis();
            tracing::debug!(task, work = name, ms, "done");
            done
        })
    }

    /// Commands can be run in a container as long as it runs.
    fn tend_exec_agents(&mut self) {
        for (index, state) in self.record.containers.iter().enumerate() {
            let runs = state.life == Life::Running && !self.removing;
            if !runs {
                // It leaves by itself when its sessions have told their end.
                self.leaving.extend(self.exec_agents.remove(&index).map(Shipping::leave));
                self.leaving.retain(|agent| !agent.is_finished());
                continue;
            }
            let allowed = self.task.containers[index].exec && self.task.role.is_some();
            let (Some(runtime_id), true) = (&state.runtime_id, allowed) else { continue };
            if self.exec_agents.contains_key(&index) {
                continue;
            }
            let agent = ExecAgent {
                host: self.host.clone(),
                task: self.task.clone(),
                roles: self.roles.clone(),
                container: index,
                runtime_id: runtime_id.clone(),
                events: self.exec_events.0.clone(),
            };
            let ended = Arc::new(Notify::new());
            let task = tokio::spawn(agent.run(ended.clone()));
            self.exec_agents.insert(index, Shipping { task, ended });
        }
    }

    /// Output is read as soon as there can be some; that of a container which has ended already, too.
    fn ship_what_started(&mut self) {
        if self.removing {
            return;
        }
        self.ship_proxy();
        let started = self.record.containers.iter().enumerate();
        let started = started.filter(|(_, state)| state.started_at.is_some() && state.life != Life::Waiting);
        // After a restart of the agent, the output of earlier runs may not be sent yet either.
        let runs = started.flat_map(|(index, state)| {
            (state.restarts.saturating_sub(MOST_EARLIER_RUNS)..=state.restarts).map(move |run| (index, run))
        });
        let new: Vec<_> = runs.filter(|run| !self.shippers.contains_key(run)).collect();
        for (container, run) in new {
            self.ship(container, run);
        }
    }

    /// A proxy tells something as soon as it is there.
    fn ship_proxy(&mut self) {
        let logs = self.task.proxy.as_ref().and_then(|proxy| proxy.logs.clone());
        let Some(logs) = logs.filter(|_| self.record.sandbox == SandboxLife::Ready) else { return };
        if self.proxy_shipper.is_none() {
            let (host, task, api) = (self.host.clone(), self.task.clone(), self.api.clone());
            let position = self.dir.join("output-proxy.json");
            self.proxy_shipper = Some(tokio::spawn(work::ship_proxy(host, task, api, logs, position)));
        }
    }

    fn ship(&mut self, container: usize, run: u32) {
        let Some(output) = self.task.containers[container].logs.clone() else { return };
        let ended = Arc::new(Notify::new());
        let shipping = work::ship(work::Output {
            host: self.host.clone(),
            task: self.task.clone(),
            api: self.api.clone(),
            secrets: self.secrets.clone(),
            index: container,
            run,
            output,
            runtime_id: self.record.containers[container].runtime_id.clone().unwrap_or_default(),
            record: self.shown.subscribe(),
            position: self.dir.join(match run {
                0 => format!("output-{container}.json"),
                run => format!("output-{container}-{run}.json"),
            }),
            ended: ended.clone(),
        });
        let drained = self.drained.0.clone();
        let task = tokio::spawn(async move {
            shipping.await;
            // Nobody listens any more when the task is being removed.
            let _ = drained.send((container, run)).await;
        });
        self.shippers.insert((container, run), Shipping { task, ended });
        // Those of runs long ago have nothing more to send.
        self.shippers.retain(|(index, earlier), _| *index != container || earlier + MOST_EARLIER_RUNS >= run);
    }

    /// Sends the oldest report that the server does not know yet; one at a time, so that they arrive in order.
    fn report(&mut self) {
        let Some(report) = self.record.unreported.first().cloned().filter(|_| !self.reporting) else {
            return;
        };
        self.reporting = true;
        let (host, task) = (self.host.clone(), self.task.clone());
        self.work_on("report", async move {
            host.api.submit(&task, &report).await;
            Done::Event(Event::Reported)
        });
    }
}

impl Shipping {
    /// Tells it that its container has ended.
    fn leave(self) -> JoinHandle<()> {
        self.ended.notify_one();
        self.task
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let agents = self.exec_agents.values().map(|agent| &agent.task);
        agents.chain(&self.leaving).for_each(JoinHandle::abort);
        // A runner that ends before its task leaves the output to the next one.
        let shippers = self.shippers.values().map(|shipping| &shipping.task);
        shippers.chain(&self.proxy_shipper).for_each(JoinHandle::abort);
    }
}

async fn sleep_until(environment: &Environment, at: Option<Timestamp>) {
    match at {
        Some(at) => environment.sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Keeps a payload for the next start of the agent, but for the credentials in it.
pub(crate) async fn keep_payload(
    dir: &std::path::Path,
    task: &agent_wire::acs::Task,
) -> Result<(), disk::DiskError> {
    disk::make_dir(dir).await?;
    disk::write(&dir.join(PAYLOAD_FILE), &without_credentials(task)).await
}

/// A payload that was kept.
pub(crate) async fn kept_payload(
    dir: &std::path::Path,
) -> Result<Option<agent_wire::acs::Task>, disk::DiskError> {
    disk::read(&dir.join(PAYLOAD_FILE)).await
}
