//! Reads one container's output and sends it where it shall go.

use super::AwsLogs;
use super::batch::{Batch, Lines, LogEvent, already_stored};
use super::forward::{Connection, Origin};
use super::splunk::{Collector, Splunk};
use crate::api::{ApiError, TaskApi};
use crate::backoff::Backoff;
use crate::disk;
use crate::engine::{Engine, EngineError, LogPosition, LogRead, LogSource};
use crate::task::record::{Life, TaskRecord};
use environment::{Environment, Timestamp};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Output gathers this long after a batch before the next one goes.
const GATHER: Duration = Duration::from_millis(200);
/// Pauses between attempts to send: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));
/// The same for routers, which are near and start when the containers do.
const ROUTER_PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// Records read at a time; bounds memory.
const MOST_RECORDS: usize = 1_000;

/// Where output goes.
pub(crate) enum Destination {
    /// A stream of CloudWatch Logs.
    AwsLogs(AwsLogs),
    /// A container of the task that routes it.
    Routed(Routing),
    /// A collector; its token is fetched when the first lines are there.
    Splunk(Box<(Splunk, Collector)>),
}

/// The way to a router.
pub(crate) struct Routing {
    pub(crate) origin: Origin,
    pub(crate) connection: tokio::sync::Mutex<Connection>,
    /// What is known of the task.
    pub(crate) record: watch::Receiver<Arc<TaskRecord>>,
    /// The router's index in it.
    pub(crate) router: usize,
}

impl Routing {
    /// To the container `router` of a task, with the index `index`.
    pub(crate) fn new(
        task: &str,
        router: &str,
        origin: Origin,
        record: watch::Receiver<Arc<TaskRecord>>,
        index: usize,
    ) -> Self {
        let connection = Connection { sandbox: task.to_owned(), router: router.to_owned(), stream: None };
        Self { origin, connection: tokio::sync::Mutex::new(connection), record, router: index }
    }
}

/// Moves a container's output until its end.
pub(crate) struct Shipper {
    pub(crate) api: TaskApi,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) environment: Environment,
    pub(crate) sandbox: String,
    pub(crate) container: String,
    /// Which run of the container.
    pub(crate) run: u32,
    pub(crate) destination: Destination,
    /// Where the position is kept.
    pub(crate) position: PathBuf,
    /// Told when the container has ended, so that the end of its output is looked for at once.
    pub(crate) ended: Arc<Notify>,
}

/// Makes the stream, and the group where that is wanted. The error is the reason why the container cannot start.
pub(crate) async fn prepare(api: &TaskApi, logs: &AwsLogs) -> Result<(), ApiError> {
    let made = api.create_log_stream(&logs.group, &logs.stream).await;
    match made {
        Err(error) if error.code() == Some("ResourceNotFoundException") && logs.create_group => {
            tolerate_existing(api.create_log_group(&logs.group).await)?;
            tolerate_existing(api.create_log_stream(&logs.group, &logs.stream).await)
        }
        other => tolerate_existing(other),
    }
}

fn tolerate_existing(result: Result<(), ApiError>) -> Result<(), ApiError> {
    match result {
        Err(error) if error.code() == Some("ResourceAlreadyExistsException") => Ok(()),
        other => other,
    }
}

impl Shipper {
    /// Runs until the container has ended and everything it wrote is accepted.
    pub(crate) async fn run(self) {
        if let Err(error) = self.ship().await {
            tracing::error!(sandbox = self.sandbox, container = self.container, %error, "cannot read output");
        }
    }

    async fn ship(&self) -> Result<(), EngineError> {
        let position: Option<LogPosition> = disk::read(&self.position).await.unwrap_or_default();
        let mut resumed = self.was_interrupted(position.is_some()).await;
        let mut source = self.engine.logs(&self.sandbox, &self.container, self.run, position).await?;
        let mut lines = Lines::new(match &self.destination {
            Destination::AwsLogs(logs) => logs.multiline.clone(),
            Destination::Routed(_) | Destination::Splunk(_) => None,
        });
        let mut last_sent = Timestamp::default();
        loop {
            let due = last_sent + GATHER;
            let given_up = lines.due().unwrap_or(due);
            // Nothing is due while nothing has gathered: then the read alone decides.
            let read = tokio::select! {
                read = source.read(MOST_RECORDS) => Some(read?),
                () = self.environment.sleep_until(due), if lines.has_gathered() => None,
                () = self.environment.sleep_until(given_up), if lines.due().is_some() => None,
                () = self.ended.notified() => continue,
            };
            let ended = read == Some(LogRead::End);
            if let Some(LogRead::Records(records)) = read {
                for record in records {
                    if let Some(full) = lines.push(record) {
                        self.send(full, &mut resumed, &mut *source).await;
                        last_sent = self.environment.now();
                    }
                }
                if self.environment.now() < due {
                    continue;
                }
            }
            if let Some(batch) = lines.take(ended, self.environment.now()) {
                self.send(batch, &mut resumed, &mut *source).await;
                last_sent = self.environment.now();
            }
            if ended {
                return Ok(());
            }
        }
    }

    /// Whether events may be in the stream that the position does not tell of. The mark is laid before the first
    /// event is sent.
    async fn was_interrupted(&self, has_position: bool) -> bool {
        let mark = self.position.with_extension("begun");
        let begun: Option<bool> = disk::read(&mark).await.unwrap_or_default();
        if begun.is_none()
            && let Err(error) = disk::write(&mark, &true).await
        {
            tracing::warn!(%error, "cannot note that output is being sent");
        }
        has_position || begun.is_some()
    }

    /// Sends a batch until it is accepted, and moves the position.
    async fn send(&self, batch: Batch, resumed: &mut bool, source: &mut dyn LogSource) {
        let next = batch.next.clone();
        match &self.destination {
            Destination::AwsLogs(logs) => self.send_to_stream(logs, batch, resumed).await,
            Destination::Routed(routing) => self.send_to_router(routing, &batch).await,
            Destination::Splunk(splunk) => self.send_to_collector(&splunk.0, &splunk.1, &batch).await,
        }
        let Some(next) = &next else { return };
        match disk::write(&self.position, next).await {
            Ok(()) => source.release(next),
            Err(error) => {
                tracing::warn!(sandbox = self.sandbox, %error, "cannot keep the position of output");
            }
        }
    }

    async fn send_to_stream(&self, logs: &AwsLogs, mut batch: Batch, resumed: &mut bool) {
        let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
        while !batch.events.is_empty() {
            if *resumed {
                match self.last_events(logs).await {
                    Ok(stored) => {
                        batch.events.drain(..already_stored(&stored, &batch.events));
                        *resumed = false;
                        continue;
                    }
                    Err(error) if error.is_retryable() => {
                        self.environment.sleep(backoff.next(&self.environment)).await;
                        continue;
                    }
                    Err(_) => *resumed = false,
                }
            }
            let error = match self.api.put_log_events(&logs.group, &logs.stream, &events(&batch)).await {
                Ok(()) => break,
                Err(error) => error,
            };
            if error.code() == Some("ResourceNotFoundException") && prepare(&self.api, logs).await.is_ok() {
                // Somebody deleted the stream; it is there again.
                continue;
            }
            if !error.is_retryable() {
                tracing::error!(
                    stream = logs.stream, events = batch.events.len(), %error, "the service refuses output"
                );
                break;
            }
            tracing::debug!(stream = logs.stream, %error, "cannot send output, trying again");
            self.environment.sleep(backoff.next(&self.environment)).await;
        }
    }

    async fn send_to_router(&self, routing: &Routing, batch: &Batch) {
        if batch.events.is_empty() {
            return;
        }
        let mut backoff = Backoff::new(ROUTER_PAUSES.0, ROUTER_PAUSES.1);
        let mut connection = routing.connection.lock().await;
        while let Err(error) = connection.send(&*self.engine, &routing.origin, &batch.events).await {
            let router = routing.record.borrow().containers[routing.router].life;
            if router == Life::Ended {
                tracing::error!(
                    sandbox = self.sandbox, container = self.container, events = batch.events.len(), %error,
                    "output is lost: its log router has ended"
                );
                return;
            }
            tracing::debug!(sandbox = self.sandbox, %error, "cannot send output, trying again");
            self.environment.sleep(backoff.next(&self.environment)).await;
        }
    }

    async fn send_to_collector(&self, splunk: &Splunk, collector: &Collector, batch: &Batch) {
        if batch.events.is_empty() {
            return;
        }
        let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
        while let Err(error) = collector.send(splunk, &batch.events, &self.environment).await {
            if !error.is_retryable() {
                tracing::error!(
                    sandbox = self.sandbox, container = self.container, events = batch.events.len(), %error,
                    "the collector refuses output"
                );
                return;
            }
            tracing::debug!(sandbox = self.sandbox, %error, "cannot send output, trying again");
            self.environment.sleep(backoff.next(&self.environment)).await;
        }
    }

    async fn last_events(&self, logs: &AwsLogs) -> Result<Vec<LogEvent>, ApiError> {
        let stored = self.api.last_log_events(&logs.group, &logs.stream).await?;
        Ok(stored.into_iter().map(|(at, message)| LogEvent { at, message, stderr: false }).collect())
    }
}

fn events(batch: &Batch) -> Vec<(Timestamp, &str)> {
    let mut events: Vec<_> = batch.events.iter().map(|event| (event.at, event.message.as_str())).collect();
    // Clocks may step back; the service wants order and a stable sort keeps lines of one moment as they were.
    events.sort_by_key(|(at, _)| *at);
    events
}
