//! Queries of Logs Insights: started, run beside other work, looked at, stopped.
//!
//! What a query means is in `logs_insights`; here it gets its events. A few run at a time, the others wait; each has a
//! bound of time and of memory. Queries and their results are in memory alone: a restart forgets them, as AWS forgets
//! them after a week.

use crate::events::EventsError;
use crate::events::position::Position;
use crate::events::reader::{Direction, Window};
use crate::{Events, token};
use environment::{Environment, Timestamp};
use logs_insights::{Event, Outcome, Query, Run, TooLarge};
use parking_lot::Mutex;
use resources::Stored;
use resources::logs::{LogGroup, LogStream};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use store::{StoreError, Tables};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

/// Queries that run at the same time.
const MOST_RUNNING: usize = 4;
/// Queries of an account that wait or run, which is AWS's bound.
const MOST_UNFINISHED: usize = 100;
/// Queries that are remembered.
const MOST_KEPT: usize = 1000;
/// Bytes of results that are remembered; the oldest go first.
const MOST_RESULT_BYTES: usize = 64 * 1024 * 1024;
/// Bytes that a running query may keep.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// How long a query may run.
const MOST_TIME: Duration = Duration::from_secs(15 * 60);
/// Events after which a query lets others go on.
const EVENTS_AT_ONCE: u64 = 256;

/// The queries of a region; cheap to clone.
#[derive(Clone)]
pub struct Queries(Arc<Inner>);

struct Inner {
    tables: Tables,
    events: Events,
    kept: Mutex<VecDeque<Arc<Kept>>>,
    running: Semaphore,
    tasks: Mutex<JoinSet<()>>,
}

/// What a query asks, beside its text.
pub struct Asked {
    /// Owner.
    pub account: String,
    /// Where to look.
    pub groups: Vec<Arc<LogGroup>>,
    /// The query as it was sent.
    pub text: String,
    /// Earliest and latest time in milliseconds, both among them.
    pub times: (i64, i64),
    /// Most rows.
    pub limit: Option<usize>,
}

/// A query that is remembered.
pub struct Kept {
    /// Its id.
    pub id: String,
    /// What it asks.
    pub asked: Asked,
    /// When it was started.
    pub created_at: Timestamp,
    state: watch::Sender<State>,
    stop: Notify,
}

/// How far a query is.
#[derive(Clone)]
pub struct State {
    /// What AWS calls it.
    pub status: Status,
    /// What it found, once it is complete.
    pub outcome: Arc<Outcome>,
    /// Events that were looked at.
    pub scanned: u64,
    /// Bytes that were read for them.
    pub scanned_bytes: usize,
    /// How long it took, once it is over.
    pub took: Option<Duration>,
}

/// The status of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Waits for others.
    Scheduled,
    /// Runs.
    Running,
    /// Has found everything.
    Complete,
    /// Could not go on.
    Failed,
    /// Was stopped.
    Cancelled,
    /// Took too long.
    Timeout,
}

/// More queries wait or run than an account may have.
#[derive(Debug)]
pub struct TooMany;

/// Why a query failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("read events: {0}")]
    Events(#[from] EventsError),
    #[error("read rows: {0}")]
    Store(#[from] StoreError),
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

impl Status {
    /// Whether nothing will change any more.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Scheduled | Self::Running)
    }
}

impl Kept {
    /// How far it is.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Waits until it is over.
    pub async fn over(&self) {
        // The sender lives as long as this.
        let _ = self.state.subscribe().wait_for(|state| state.status.is_over()).await;
    }

    fn to(&self, status: Status) {
        self.state.send_modify(|state| state.status = status);
    }
}

impl Queries {
    /// Queries over these events.
    pub fn new(tables: Tables, events: Events) -> Self {
        Self(Arc::new(Inner {
            tables,
            events,
            kept: Mutex::default(),
            running: Semaphore::new(MOST_RUNNING),
            tasks: Mutex::default(),
        }))
    }

    /// Starts a query.
    pub fn start(&self, asked: Asked, query: Query) -> Result<Arc<Kept>, TooMany> {
        let environment = self.0.tables.environment();
        let state = State {
            status: Status::Scheduled,
            outcome: Arc::default(),
            scanned: 0,
            scanned_bytes: 0,
            took: None,
        };
        let kept = Arc::new(Kept {
            id: environment.uuid(),
            asked,
            created_at: environment.now(),
            state: watch::Sender::new(state),
            stop: Notify::new(),
        });
        self.keep(&kept)?;
        let (queries, running) = (self.clone(), kept.clone());
        let mut tasks = self.0.tasks.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move { queries.run(&running, Arc::new(query)).await });
        Ok(kept)
    }

    /// The query with an id, of an account.
    pub fn get(&self, account: &str, id: &str) -> Option<Arc<Kept>> {
        self.0.kept.lock().iter().find(|kept| kept.id == id && kept.asked.account == account).cloned()
    }

    /// The queries of an account, newest first.
    pub fn list(&self, account: &str) -> Vec<Arc<Kept>> {
        self.0.kept.lock().iter().rev().filter(|kept| kept.asked.account == account).cloned().collect()
    }

    /// Stops a query; false when it is over already.
    pub fn stop(kept: &Kept) -> bool {
        let runs = !kept.state.borrow().status.is_over();
        if runs {
            kept.stop.notify_one();
        }
        runs
    }

    /// Stops all queries and waits for them.
    pub async fn close(&self) {
        for kept in self.0.kept.lock().iter() {
            Self::stop(kept);
        }
        let mut tasks = std::mem::take(&mut *self.0.tasks.lock());
        while tasks.join_next().await.is_some() {}
    }

    fn keep(&self, new: &Arc<Kept>) -> Result<(), TooMany> {
        let mut kept = self.0.kept.lock();
        let unfinished = |kept: &&Arc<Kept>| {
            kept.asked.account == new.asked.account && !kept.state.borrow().status.is_over()
        };
        if kept.iter().filter(unfinished).count() >= MOST_UNFINISHED {
            return Err(TooMany);
        }
        let mut bytes: usize = kept.iter().map(|kept| size(&kept.state.borrow().outcome)).sum();
        // The oldest are at the front; those that run stay.
        let mut index = 0;
        while (kept.len() >= MOST_KEPT || bytes > MOST_RESULT_BYTES) && index < kept.len() {
            if kept[index].state.borrow().status.is_over() {
                let gone = kept.remove(index);
                bytes -= gone.map_or(0, |gone| size(&gone.state.borrow().outcome));
            } else {
                index += 1;
            }
        }
        kept.push_back(new.clone());
        Ok(())
    }

    async fn run(&self, kept: &Kept, query: Arc<Query>) {
        let environment = self.0.tables.environment();
        let status = tokio::select! {
            status = self.run_to_the_end(kept, query, environment) => status,
            () = kept.stop.notified() => Status::Cancelled,
        };
        let took = environment.now().since(kept.created_at);
        kept.state.send_modify(|state| {
            state.took = Some(took);
            state.status = status;
        });
    }

    async fn run_to_the_end(&self, kept: &Kept, query: Arc<Query>, environment: &Environment) -> Status {
        // The semaphore is never closed.
        let Ok(_running) = self.0.running.acquire().await else { return Status::Failed };
        kept.to(Status::Running);
        let found = tokio::select! {
            found = self.search(kept, query) => found,
            () = environment.sleep(MOST_TIME) => return Status::Timeout,
        };
        match found {
            Ok(outcome) => {
                kept.state.send_modify(|state| state.outcome = Arc::new(outcome));
                Status::Complete
            }
            Err(error) => {
                tracing::warn!(%error, query = kept.id, "a logs query failed");
                Status::Failed
            }
        }
    }

    async fn search(&self, kept: &Kept, query: Arc<Query>) -> Result<Outcome, Failure> {
        let now = kept.created_at;
        let asked = &kept.asked;
        let window =
            Window { start: asked.times.0, end: asked.times.1.saturating_add(1), after: None, before: None };
        let (mut streams, mut sources) = (Vec::new(), Vec::new());
        for group in &asked.groups {
            let expired = group.expired_before(now).map_or(i64::MIN, Timestamp::as_millis);
            let log: Arc<str> = format!("{}:{}", group.account, group.name).into();
            for stream in self.streams_since(group, window.start).await? {
                sources.push((expired, log.clone(), Arc::<str>::from(stream.name.as_str())));
                streams.push(stream);
            }
        }
        let mut reader = self.0.events.read(&streams, window, Direction::Backward).await?;
        let mut run = Run::new(query, now.as_millis(), asked.limit, MOST_BYTES);
        let mut scanned = 0;
        while !run.is_satisfied() {
            let Some((index, event)) = reader.next().await? else { break };
            scanned += 1;
            if scanned % EVENTS_AT_ONCE == 0 {
                kept.state.send_modify(|state| {
                    (state.scanned, state.scanned_bytes) = (scanned, reader.scanned());
                });
                tokio::task::yield_now().await;
            }
            let (expired, log, log_stream) = &sources[index];
            if event.position.time >= *expired {
                run.push(Event {
                    timestamp: event.position.time,
                    ingestion: event.ingestion,
                    message: event.text().into_owned(),
                    log_stream: log_stream.clone(),
                    log: log.clone(),
                    pointer: pointer(&streams[index], event.position),
                })?;
            }
        }
        kept.state.send_modify(|state| {
            (state.scanned, state.scanned_bytes) = (scanned, reader.scanned());
        });
        Ok(run.finish()?)
    }

    /// The streams of a group that have events at a time or later.
    pub(crate) async fn streams_since(
        &self,
        group: &LogGroup,
        start: i64,
    ) -> Result<Vec<Arc<LogStream>>, StoreError> {
        let prefix = LogStream::key_of(&group.account, &group.id, "");
        let rows = self.0.tables.list_all::<LogStream>(&prefix).await?;
        let mut streams: Vec<Arc<LogStream>> = rows.into_iter().map(|row| row.value).collect();
        streams.retain(|stream| {
            let recent = self.0.events.recent(stream).map(|recent| recent.last);
            let last = stream.last_event.map(Timestamp::as_millis).max(recent);
            last.is_some_and(|last| last >= start)
        });
        Ok(streams)
    }
}

/// What finds an event again.
pub(crate) fn pointer(stream: &LogStream, position: Position) -> String {
    token::encode(&format!("{}|{}", position.event_id(crate::events::stream_number(stream)), stream.key()))
}

/// The key of a stream and the place in it that a pointer tells.
pub(crate) fn pointed(pointer: &str) -> Option<(String, Position)> {
    let text = token::decode(pointer).ok()?;
    let (id, key) = text.split_once('|')?;
    Some((key.to_owned(), Position::from_event_id(id)?))
}

fn size(outcome: &Outcome) -> usize {
    outcome.rows.iter().flatten().map(|(name, value)| name.len() + value.len() + 48).sum()
}
