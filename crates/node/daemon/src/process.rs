//! The process's side: from the process before it to its end.

use crate::control::{self, Answer, Ask, ProgramFile};
use crate::files::{CONFIGURATION, Files, Kept};
use crate::socket::SocketPlace;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, sleep, timeout};

/// Held while a process starts, so that two do not start at once.
const LOCK: &str = "start.lock";
/// Longest time that what is in progress is given after a handover; connections of applications have a life of an hour by default.
const LONGEST_DRAIN: Duration = Duration::from_secs(3600);
/// Most of those who configure at a time.
const MOST_CONVERSATIONS: usize = 64;
/// Longest time for the process before this one to hand over.
const HANDOVER_TIME: Duration = Duration::from_secs(10);
/// Pause after the system refused a connection.
const PAUSE: Duration = Duration::from_millis(200);

/// Why a process could not start or go on.
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
    Configuration(PathBuf, #[source] io::Error),
}

/// What a process does.
pub trait Service: Send + 'static {
    /// All that it is told.
    type Configuration: Serialize + DeserializeOwned + Send + Sync;
    /// What it has seen.
    type Report: Serialize + Send + Sync;
    /// What its configuration on disk is to survive.
    const KEPT: Kept;

    /// Does from now on what `configuration` says.
    fn apply(&mut self, configuration: Self::Configuration) -> impl Future<Output = ()> + Send;

    /// What it has seen.
    fn report(&self) -> Self::Report;

    /// The sockets that clients come to.
    fn sockets(&self) -> Vec<(SocketPlace, BorrowedFd<'_>)>;

    /// Another process is about to take over: what it has to find on disk is put there.
    fn hand_over(&mut self);
}

/// How the process ends.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// Longest time for what is in progress.
    pub drain: Duration,
}

/// The directory of a process that is about to serve.
pub struct Place {
    files: Files,
    lock: File,
    before: Option<UnixStream>,
}

impl Place {
    /// Makes the directory ready, and gets the sockets of the process that serves there, if one does. Only one process at a time
    /// is between this and [`Place::serve`].
    pub async fn take(directory: &Path) -> Result<(Self, BTreeMap<SocketPlace, OwnedFd>), ProcessError> {
        let fault = |error| ProcessError::Directory(directory.to_owned(), error);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(fault)?;
        let lock = File::create(directory.join(LOCK)).map_err(fault)?;
        lock.lock().map_err(fault)?;
        let (before, inherited) =
            match timeout(HANDOVER_TIME, take_over(&directory.join(control::SOCKET))).await {
                Ok(Ok((stream, sockets))) => (Some(stream), sockets),
                // Nobody is there, or it is no more than a file.
                Ok(Err(_)) | Err(_) => (None, BTreeMap::new()),
            };
        Ok((Self { files: Files::of(directory), lock, before }, inherited))
    }

    /// The files of the directory.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Whether there is a process that serves.
    pub fn takes_over(&self) -> bool {
        self.before.is_some()
    }

    /// What the process before this one was told last.
    pub fn configuration<C: DeserializeOwned>(&self) -> Result<Option<C>, ProcessError> {
        self.files.read(CONFIGURATION).map_err(|error| {
            let path = self.files.path(CONFIGURATION);
            match error.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                    ProcessError::Configuration(path, error)
                }
                _ => ProcessError::Directory(path, error),
            }
        })
    }

    /// The service works: it is told what to do from here on, and the process before it ends.
    pub async fn serve<S: Service>(self, service: Arc<Mutex<S>>) -> Result<Control<S>, ProcessError> {
        let path = self.files.path(control::SOCKET);
        let listener = bind(&path).map_err(|error| ProcessError::Directory(path, error))?;
        if let Some(mut before) = self.before {
            // Should it be gone by now, so is what it did.
            let _ = timeout(HANDOVER_TIME, control::ask::<()>(&mut before, &Ask::<()>::Taken)).await;
        }
        drop(self.lock);
        let conversations = Arc::new(Conversations { service, files: self.files, busy: Mutex::default() });
        Ok(Control { listener, conversations })
    }
}

/// Gets the listening sockets of the process that is there.
async fn take_over(socket: &Path) -> io::Result<(UnixStream, BTreeMap<SocketPlace, OwnedFd>)> {
    let mut stream = UnixStream::connect(socket).await?;
    match control::ask::<()>(&mut stream, &Ask::<()>::HandOver).await? {
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

/// Where a process that serves is told what to do.
pub struct Control<S> {
    listener: UnixListener,
    conversations: Arc<Conversations<S>>,
}

impl<S: Service> Control<S> {
    /// Answers those who ask, until one says that it is the end.
    pub async fn until_end(self) -> End {
        let (ends, mut end) = mpsc::channel(1);
        let mut answering = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if answering.len() < MOST_CONVERSATIONS => match accepted {
                    Ok((stream, _)) => {
                        answering.spawn(self.conversations.clone().converse(stream, ends.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot take a connection of who configures");
                        sleep(PAUSE).await;
                    }
                },
                Some(_) = answering.join_next(), if !answering.is_empty() => {}
                Some(end) = end.recv() => return end,
            }
        }
    }
}

struct Conversations<S> {
    service: Arc<Mutex<S>>,
    files: Files,
    /// Until when another process may still take over what there is: meanwhile it does not change.
    busy: Mutex<Option<Instant>>,
}

impl<S: Service> Conversations<S> {
    /// Answers one who asks, until it goes.
    async fn converse(self: Arc<Self>, mut stream: UnixStream, ends: mpsc::Sender<End>) {
        let allowed = stream
            .peer_cred()
            .is_ok_and(|peer| peer.uid() == 0 || peer.uid() == rustix::process::geteuid().as_raw());
        if !allowed {
            return;
        }
        loop {
            let ask = match control::read::<Ask<S::Configuration>>(&mut stream).await {
                Ok(Some(ask)) => ask,
                Ok(None) => return,
                Err(error) => {
                    // It is told, if it still listens.
                    let _ = control::write(&mut stream, &Answer::<()>::Failed(error.to_string())).await;
                    return;
                }
            };
            if let Err(error) = self.answer(&mut stream, ask, &ends).await {
                tracing::warn!(%error, "who configures was not answered");
                return;
            }
        }
    }

    async fn answer(
        &self,
        stream: &mut UnixStream,
        ask: Ask<S::Configuration>,
        ends: &mpsc::Sender<End>,
    ) -> io::Result<()> {
        let answer = match ask {
            Ask::Hello => Answer::Hello {
                pid: std::process::id(),
                program: ProgramFile::of(Path::new("/proc/self/exe")),
            },
            Ask::Apply(configuration) => self.apply(configuration).await,
            Ask::Report => Answer::Report(self.service.lock().await.report()),
            Ask::Stop { drain_seconds } => {
                return self.end(stream, ends, Duration::from_secs(drain_seconds).min(LONGEST_DRAIN)).await;
            }
            Ask::HandOver => return self.hand_over(stream).await,
            Ask::Taken => return self.end(stream, ends, LONGEST_DRAIN).await,
        };
        control::write(stream, &answer).await
    }

    async fn end(
        &self,
        stream: &mut UnixStream,
        ends: &mpsc::Sender<End>,
        drain: Duration,
    ) -> io::Result<()> {
        control::write(stream, &Answer::<()>::Done).await?;
        // One end is enough.
        let _ = ends.try_send(End { drain });
        Ok(())
    }

    async fn apply(&self, configuration: S::Configuration) -> Answer<S::Report> {
        let mut service = self.service.lock().await;
        if self.busy.lock().await.is_some_and(|until| Instant::now() < until) {
            // The new process has read what was there before.
            return Answer::Failed("another process is taking over".to_owned());
        }
        match self.files.keep(CONFIGURATION, &configuration, S::KEPT) {
            Err(error) if S::KEPT == Kept::OverPowerLoss => {
                return Answer::Failed(format!("cannot keep the configuration: {error}"));
            }
            // Better than not at all. A process that comes after its death begins with what was kept last.
            Err(error) => tracing::warn!(%error, "works by a configuration that is not kept"),
            Ok(()) => {}
        }
        service.apply(configuration).await;
        Answer::Done
    }

    async fn hand_over(&self, stream: &mut UnixStream) -> io::Result<()> {
        let mut service = self.service.lock().await;
        *self.busy.lock().await = Some(Instant::now() + HANDOVER_TIME);
        service.hand_over();
        let (places, sockets): (Vec<_>, Vec<_>) = service.sockets().into_iter().unzip();
        control::write(stream, &Answer::<()>::Sockets(places)).await?;
        control::send_descriptors(stream, &sockets).await
    }
}
