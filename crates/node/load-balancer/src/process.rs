//! The process, from its start to its end.

use crate::clock::Clock;
use crate::listen::most_connections;
use crate::table::{Remembered, Table};
use crate::worker::Workers;
use daemon::{End, Files, Kept, Place, ProcessError, Service, SocketPlace};
use environment::Environment;
use load_balancing::{Configuration, Report};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, interval, sleep};

/// Targets that were healthy.
const HEALTH: &str = "health.json";
/// How often what has no event of its own is looked at.
const STEP: Duration = Duration::from_millis(200);
/// How often listeners that do not work are tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Runs the process that serves the load balancers of a directory, until it is told to stop or another one has taken over. With
/// a network namespace it is a task's proxy: it lives in there, with one worker.
///
/// Must be called from the first thread, before there are others.
pub fn run(directory: &Path, network_namespace: Option<&Path>) -> Result<(), ProcessError> {
    let most_workers = match network_namespace {
        Some(path) => {
            enter(path).map_err(|error| ProcessError::Namespace(path.to_owned(), error))?;
            1
        }
        None => usize::MAX,
    };
    let environment = Environment::real();
    // Signals that a terminal sends are not for it. It stands alone already when this fails.
    let _ = rustix::process::setsid();
    let most = most_connections();
    let clock = Clock::standing_still();
    let workers =
        Arc::new(Workers::start(&environment, &clock, most_workers).map_err(ProcessError::Workers)?);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ProcessError::Workers)?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = serve(directory, &environment, workers, most) => result,
            () = clock.run() => Ok(()),
        }
    });
    // What blocks (a file being written) is not waited for.
    runtime.shutdown_background();
    result
}

/// Moves this thread, and those that it starts, into a network namespace.
fn enter(path: &Path) -> io::Result<()> {
    let namespace = File::open(path)?;
    Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?)
}

async fn serve(
    directory: &Path,
    environment: &Environment,
    workers: Arc<Workers>,
    most: usize,
) -> Result<(), ProcessError> {
    let (place, inherited) = Place::take(directory).await?;
    let mut table = Table::new(environment, workers.clone(), most, inherited);
    if let Some(configuration) = place.configuration()? {
        // What is not there or cannot be read is not known.
        let remembered = place.files().read(HEALTH).ok().flatten().unwrap_or_default();
        table.apply(configuration, &remembered).await;
    }
    let (files, taken_over) = (place.files().clone(), place.takes_over());
    let health_changed = table.health_changed.clone();
    let served = Arc::new(Mutex::new(Served { table, files }));
    let control = place.serve(served.clone()).await?;
    tracing::info!(directory = %directory.display(), taken_over, "the load balancers are served");

    let end = tokio::select! {
        end = control.until_end() => end,
        never = look_after(&served, &health_changed) => match never {},
    };
    drain(&served, &workers, end).await;
    Ok(())
}

/// The table, and where the process after this one finds what it has to know.
struct Served {
    table: Table,
    files: Files,
}

impl Served {
    fn keep_health(&self) {
        if let Err(error) = self.files.keep(HEALTH, &self.table.remembered(), Kept::OverPowerLoss) {
            tracing::warn!(%error, "cannot keep which targets are healthy");
        }
    }
}

impl Service for Served {
    type Configuration = Configuration;
    type Report = Report;
    const KEPT: Kept = Kept::OverPowerLoss;

    async fn apply(&mut self, configuration: Configuration) {
        self.table.apply(configuration, &Remembered::default()).await;
    }

    fn report(&self) -> Report {
        self.table.report()
    }

    fn sockets(&self) -> Vec<(SocketPlace, BorrowedFd<'_>)> {
        self.table.sockets().map(|(place, socket)| (place, socket.as_fd())).collect()
    }

    fn hand_over(&mut self) {
        self.keep_health();
    }
}

/// Does what has its time.
async fn look_after(served: &Mutex<Served>, health_changed: &Notify) -> Infallible {
    let mut steps = interval(STEP);
    let mut since_retry = Duration::ZERO;
    loop {
        tokio::select! {
            () = health_changed.notified() => served.lock().await.keep_health(),
            _ = steps.tick() => {
                let table = &mut served.lock().await.table;
                table.end_of_drains();
                since_retry += STEP;
                if since_retry >= RETRY {
                    since_retry = Duration::ZERO;
                    table.retry().await;
                }
                flush(table.logs());
            }
        }
    }
}

/// Writes logs out without keeping the event loop from its work.
fn flush(logs: Vec<Arc<crate::log::Log>>) {
    if !logs.is_empty() {
        tokio::task::spawn_blocking(move || logs.iter().for_each(|log| log.flush()));
    }
}

/// Waits until nothing is in progress any more, for a while.
async fn drain(served: &Mutex<Served>, workers: &Workers, end: End) {
    let logs = {
        let table = &mut served.lock().await.table;
        table.stop().await;
        table.logs()
    };
    workers.drain();
    let deadline = Instant::now() + end.drain;
    while workers.load() > 0 && Instant::now() < deadline {
        sleep(STEP / 4).await;
        served.lock().await.table.end_of_drains();
        flush(logs.clone());
    }
    for log in logs {
        log.flush();
    }
    tracing::info!(connections = workers.load(), "the process has drained");
}
