//! The process, from its start to its end.

use crate::clock::Clock;
use crate::control::{self, Answer, Ask, ProgramFile};
use crate::listen::{Place, most_connections};
use crate::table::{Remembered, Table};
use crate::worker::Workers;
use environment::Environment;
use load_balancing::Configuration;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, interval, sleep, timeout};

/// The last configuration; it holds private keys, and only its owner may read it.
const CONFIGURATION: &str = "configuration.json";
/// Targets that were healthy.
const HEALTH: &str = "health.json";
/// Held while a process starts, so that two do not start at once.
const LOCK: &str = "start.lock";
/// Longest time that connections are given after a handover; those of applications have a life of an hour by default.
const LONGEST_DRAIN: Duration = Duration::from_secs(3600);
/// How often what has no event of its own is looked at.
const STEP: Duration = Duration::from_millis(200);
/// How often listeners that do not work are tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Most of those who configure at a time.
const MOST_CONVERSATIONS: usize = 64;
/// Longest time for the process before this one to hand over.
const HANDOVER_TIME: Duration = Duration::from_secs(10);

/// Why the process could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The directory, or a file in it.
    #[error("cannot use {0}")]
    Directory(PathBuf, #[source] io::Error),
    /// The network namespace that it is to live in.
    #[error("cannot enter the network namespace {0}")]
    Namespace(PathBuf, #[source] io::Error),
    /// Threads, or the event loop.
    #[error("cannot start the workers")]
    Workers(#[source] io::Error),
    /// The configuration on disk is none.
    #[error("{0} holds no configuration")]
    Configuration(PathBuf, #[source] serde_json::Error),
}

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

/// How the process ends.
#[derive(Clone, Copy, Debug)]
struct End {
    drain: Duration,
}

async fn serve(
    directory: &Path,
    environment: &Environment,
    workers: Arc<Workers>,
    most: usize,
) -> Result<(), ProcessError> {
    let fault = |path: &Path| {
        let path = path.to_owned();
        move |error| ProcessError::Directory(path, error)
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(fault(directory))?;
    let lock = File::create(directory.join(LOCK)).map_err(fault(directory))?;
    lock.lock().map_err(fault(directory))?;

    let socket_path = directory.join(control::SOCKET);
    let (before, inherited) = match timeout(HANDOVER_TIME, take_over(&socket_path)).await {
        Ok(Ok((stream, sockets))) => (Some(stream), sockets),
        // Nobody is there, or it is no more than a file.
        Ok(Err(_)) | Err(_) => (None, BTreeMap::new()),
    };
    let taken_over = before.is_some();
    let files = Files { directory: directory.to_owned() };
    let mut table = Table::new(environment, workers.clone(), most, inherited);
    if let Some(configuration) = files.configuration()? {
        table.apply(configuration, &files.health()).await;
    }
    let listener = bind(&socket_path).map_err(fault(&socket_path))?;
    if let Some(mut before) = before {
        // Should it be gone by now, so is what it did.
        let _ = timeout(HANDOVER_TIME, control::ask(&mut before, &Ask::Taken)).await;
    }
    drop(lock);
    tracing::info!(directory = %directory.display(), taken_over, "the load balancers are served");

    let health_changed = table.health_changed.clone();
    let table = Arc::new(Mutex::new(table));
    let (ends, mut end) = mpsc::channel(1);
    let mut steps = interval(STEP);
    let mut since_retry = Duration::ZERO;
    let mut answering = tokio::task::JoinSet::new();
    let end = loop {
        tokio::select! {
            accepted = listener.accept(), if answering.len() < MOST_CONVERSATIONS => match accepted {
                Ok((stream, _)) => {
                    answering.spawn(converse(stream, table.clone(), files.clone(), ends.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot take a connection of who configures");
                    sleep(STEP).await;
                }
            },
            Some(_) = answering.join_next(), if !answering.is_empty() => {}
            () = health_changed.notified() => {
                let remembered = table.lock().await.remembered();
                if let Err(error) = files.keep(HEALTH, &remembered) {
                    tracing::warn!(%error, "cannot keep which targets are healthy");
                }
            }
            _ = steps.tick() => {
                let mut table = table.lock().await;
                table.end_of_drains();
                since_retry += STEP;
                if since_retry >= RETRY {
                    since_retry = Duration::ZERO;
                    table.retry().await;
                }
                flush(table.logs());
            }
            Some(end) = end.recv() => break end,
        }
    };
    drop(listener);
    drain(&table, &workers, end).await;
    Ok(())
}

/// Writes logs out without keeping the event loop from its work.
fn flush(logs: Vec<Arc<crate::log::Log>>) {
    if !logs.is_empty() {
        tokio::task::spawn_blocking(move || logs.iter().for_each(|log| log.flush()));
    }
}

/// Waits until nothing is in progress any more, for a while.
async fn drain(table: &Mutex<Table>, workers: &Workers, end: End) {
    let logs = {
        let mut table = table.lock().await;
        table.stop().await;
        table.logs()
    };
    workers.drain();
    let deadline = Instant::now() + end.drain;
    while workers.load() > 0 && Instant::now() < deadline {
        sleep(STEP / 4).await;
        table.lock().await.end_of_drains();
        flush(logs.clone());
    }
    for log in logs {
        log.flush();
    }
    tracing::info!(connections = workers.load(), "the process has drained");
}

/// Gets the listening sockets of the process that is there.
async fn take_over(socket: &Path) -> io::Result<(UnixStream, BTreeMap<Place, OwnedFd>)> {
    let mut stream = UnixStream::connect(socket).await?;
    match control::ask(&mut stream, &Ask::HandOver).await? {
        Answer::Sockets(places) => {
            let sockets = control::receive_descriptors(&stream, places.len()).await?;
            Ok((stream, places.into_iter().zip(sockets).collect()))
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Puts a socket at a path, in the place of what is there.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&new)?;
    fs::rename(&new, path)?;
    Ok(listener)
}

/// Answers one who asks, until it goes.
async fn converse(mut stream: UnixStream, table: Arc<Mutex<Table>>, files: Files, ends: mpsc::Sender<End>) {
    let allowed = stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == 0 || peer.uid() == rustix::process::geteuid().as_raw());
    if !allowed {
        return;
    }
    loop {
        let ask = match control::read::<Ask>(&mut stream).await {
            Ok(Some(ask)) => ask,
            Ok(None) => return,
            Err(error) => {
                // It is told, if it still listens.
                let _ = control::write(&mut stream, &Answer::Failed(error.to_string())).await;
                return;
            }
        };
        if let Err(error) = answer(&mut stream, ask, &table, &files, &ends).await {
            tracing::warn!(%error, "who configures was not answered");
            return;
        }
    }
}

async fn answer(
    stream: &mut UnixStream,
    ask: Ask,
    table: &Mutex<Table>,
    files: &Files,
    ends: &mpsc::Sender<End>,
) -> io::Result<()> {
    let answer = match ask {
        Ask::Hello => {
            Answer::Hello { pid: std::process::id(), program: ProgramFile::of(Path::new("/proc/self/exe")) }
        }
        Ask::Apply(configuration) => {
            let mut table = table.lock().await;
            if table.is_handing_over() {
                // The new process has read what was there before.
                Answer::Failed("another process is taking over".to_owned())
            } else if let Err(error) = files.keep(CONFIGURATION, &configuration) {
                Answer::Failed(format!("cannot keep the configuration: {error}"))
            } else {
                table.apply(configuration, &Remembered::default()).await;
                Answer::Done
            }
        }
        Ask::Report => Answer::Report(table.lock().await.report()),
        Ask::Stop { drain_seconds } => {
            control::write(stream, &Answer::Done).await?;
            // One end is enough.
            let _ = ends.try_send(End { drain: Duration::from_secs(drain_seconds).min(LONGEST_DRAIN) });
            return Ok(());
        }
        Ask::HandOver => {
            let mut table = table.lock().await;
            table.hand_over(HANDOVER_TIME);
            let (places, sockets): (Vec<_>, Vec<_>) =
                table.sockets().map(|(place, socket)| (place, socket.as_fd())).unzip();
            if let Err(error) = files.keep(HEALTH, &table.remembered()) {
                tracing::warn!(%error, "cannot keep which targets are healthy");
            }
            control::write(stream, &Answer::Sockets(places)).await?;
            return control::send_descriptors(stream, &sockets).await;
        }
        Ask::Taken => {
            // One end is enough.
            let _ = ends.try_send(End { drain: LONGEST_DRAIN });
            Answer::Done
        }
    };
    control::write(stream, &answer).await
}

/// The files of the directory.
#[derive(Clone)]
struct Files {
    directory: PathBuf,
}

impl Files {
    fn configuration(&self) -> Result<Option<Configuration>, ProcessError> {
        let path = self.directory.join(CONFIGURATION);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| ProcessError::Configuration(path, error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ProcessError::Directory(path, error)),
        }
    }

    /// What is not there or cannot be read is not known.
    fn health(&self) -> Remembered {
        let bytes = fs::read(self.directory.join(HEALTH)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Replaces a file as a whole.
    fn keep(&self, name: &str, value: &impl serde::Serialize) -> io::Result<()> {
        let new = self.directory.join(format!("{name}.new"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(value)?)?;
        file.sync_data()?;
        fs::rename(new, self.directory.join(name))
    }
}
