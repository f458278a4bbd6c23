//! Reads one container's output and puts it into its log stream.

use super::AwsLogs;
use super::batch::{Batch, Lines, LogEvent, already_stored};
use crate::api::{ApiError, TaskApi};
use crate::backoff::Backoff;
use crate::disk;
use crate::engine::{Engine, EngineError, LogPosition, LogRead, LogSource};
use environment::{Environment, Timestamp};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Output gathers this long after a batch before the next one goes.
const GATHER: Duration = Duration::from_millis(200);
/// Records read at a time; bounds memory.
const MOST_RECORDS: usize = 1_000;

/// Moves a container's output until its end.
pub(crate) struct Shipper {
    pub(crate) api: TaskApi,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) environment: Environment,
    pub(crate) sandbox: String,
    pub(crate) container: String,
    pub(crate) logs: AwsLogs,
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
        let mut source = self.engine.logs(&self.sandbox, &self.container, position).await?;
        let mut lines = Lines::default();
        let mut last_sent = Timestamp::default();
        loop {
            let due = last_sent + GATHER;
            // Nothing is due while nothing has gathered: then the read alone decides.
            let read = tokio::select! {
                read = source.read(MOST_RECORDS) => Some(read?),
                () = self.environment.sleep_until(due), if lines.has_gathered() => None,
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
            if let Some(batch) = lines.take(ended) {
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
    async fn send(&self, mut batch: Batch, resumed: &mut bool, source: &mut dyn LogSource) {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(10));
        let logs = &self.logs;
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
        let Some(next) = &batch.next else { return };
        match disk::write(&self.position, next).await {
            Ok(()) => source.release(next),
            Err(error) => {
                tracing::warn!(sandbox = self.sandbox, %error, "cannot keep the position of output");
            }
        }
    }

    async fn last_events(&self, logs: &AwsLogs) -> Result<Vec<LogEvent>, ApiError> {
        let stored = self.api.last_log_events(&logs.group, &logs.stream).await?;
        Ok(stored.into_iter().map(|(at, message)| LogEvent { at, message }).collect())
    }
}

fn events(batch: &Batch) -> Vec<(Timestamp, &str)> {
    let mut events: Vec<_> = batch.events.iter().map(|event| (event.at, event.message.as_str())).collect();
    // Clocks may step back; the service wants order and a stable sort keeps lines of one moment as they were.
    events.sort_by_key(|(at, _)| *at);
    events
}
