//! For who tells the process of a directory what to do.

use crate::control::{self, Answer, Ask, ProgramFile, SOCKET};
use crate::files::{CONFIGURATION, Files};
use environment::Environment;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io;
use std::marker::PhantomData;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// Size at which the log of a process begins anew when a process starts.
const MOST_LOG: u64 = 4 << 20;
/// Bytes that the size of a file on disk is counted in.
const BLOCK: u64 = 512;
/// Longest time for an answer.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// Longest time for a process to start, and for one that answers nothing to begin to.
const START_TIME: Duration = Duration::from_secs(20);
/// Pause between looks at whether it is there.
const LOOK: Duration = Duration::from_millis(20);
/// How often it is looked after.
const WATCH: Duration = Duration::from_millis(500);
/// Longest pause between attempts to start it.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Why a process could not be told.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The program could not be started.
    #[error("cannot start {0}")]
    Start(PathBuf, #[source] io::Error),
    /// The process did not come up in time.
    #[error("the {0} did not start in time; see {1}")]
    Silent(&'static str, PathBuf),
    /// There was no conversation.
    #[error("the process of the {0} does not answer")]
    Unreachable(&'static str, #[source] io::Error),
    /// It does not do what it is told in time.
    #[error("the {0} is not ready: {1}")]
    NotReady(&'static str, String),
    /// It did not do it.
    #[error("the process of the {0} refuses: {1}")]
    Refused(&'static str, String),
}

/// Told the id of each process that is started.
pub type Started = Arc<dyn Fn(u32) + Send + Sync>;

/// Where a process is found, and how it is started.
#[derive(Clone)]
pub struct Home {
    /// What it is called in messages and in the name of its log.
    pub name: &'static str,
    /// Its directory.
    pub directory: PathBuf,
    /// The program that it runs.
    pub program: PathBuf,
    /// First argument of the program; `--dir` and the directory follow.
    pub command: &'static str,
    /// What follows them.
    pub arguments: Vec<OsString>,
    /// Time.
    pub environment: Environment,
    /// Who wants to know which processes are started.
    pub started: Option<Started>,
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Home").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// The process of a directory, which is told configurations `C` and answers reports `R`.
///
/// It goes on when this is dropped, and when the process that made this dies. While this lives, a process that has died is
/// replaced, with growing pauses; it goes on with its last configuration by itself.
#[derive(Debug)]
pub struct Daemon<C, R> {
    home: Arc<Home>,
    watch: JoinHandle<()>,
    told: PhantomData<fn(C) -> R>,
}

impl<C, R> Drop for Daemon<C, R> {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

impl<C: Serialize, R: DeserializeOwned> Daemon<C, R> {
    /// Finds the process of a directory, or starts it. One that was started from another file than the program is now hands over
    /// to a new one.
    pub async fn start(home: Home) -> Result<Self, ControlError> {
        let home = Arc::new(home);
        match home.hello().await {
            Ok((_, running)) if running == ProgramFile::of(&home.program) => {}
            Ok((pid, _)) => home.spawn(Some(pid)).await?,
            Err(_) => home.spawn(None).await?,
        }
        let watch = tokio::spawn(watch(home.clone()));
        Ok(Self { home, watch, told: PhantomData })
    }

    /// Has it do from now on what `configuration` says. When this succeeds, the configuration is on disk and at work.
    pub async fn apply(&self, configuration: &C) -> Result<(), ControlError> {
        match self.home.ask::<(), _>(&Ask::Apply(configuration)).await? {
            Answer::Done => Ok(()),
            other => Err(self.home.refused(other)),
        }
    }

    /// What it has seen.
    pub async fn report(&self) -> Result<R, ControlError> {
        self.home.report().await
    }

    /// The process id.
    pub async fn pid(&self) -> Result<u32, ControlError> {
        self.home.pid().await
    }

    /// Has a new process of the program take over, whatever runs now.
    pub async fn replace(&self) -> Result<(), ControlError> {
        let pid = self.pid().await?;
        self.home.spawn(Some(pid)).await
    }

    /// Ends it: at once nothing new is accepted, and what is in progress may take as long as `drain`.
    pub async fn stop(self, drain: Duration) -> Result<(), ControlError> {
        self.watch.abort();
        self.home.stop(drain).await
    }
}

impl Home {
    fn refused<R>(&self, answer: Answer<R>) -> ControlError {
        let reason = match answer {
            Answer::Failed(reason) => reason,
            _ => "it answers something else".to_owned(),
        };
        ControlError::Refused(self.name, reason)
    }

    async fn ask<R: DeserializeOwned, C: Serialize>(&self, ask: &Ask<C>) -> Result<Answer<R>, ControlError> {
        let conversation = async {
            let mut stream = UnixStream::connect(self.directory.join(SOCKET)).await?;
            control::ask(&mut stream, ask).await
        };
        let result = timeout(ANSWER_TIME, conversation).await;
        result
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|error| ControlError::Unreachable(self.name, error))
    }

    /// The id of the process, if it answers.
    pub async fn pid(&self) -> Result<u32, ControlError> {
        self.hello().await.map(|(pid, _)| pid)
    }

    /// See [`Daemon::report`]; of a process that nobody watches.
    pub async fn report<R: DeserializeOwned>(&self) -> Result<R, ControlError> {
        match self.ask(&Ask::<()>::Report).await? {
            Answer::Report(report) => Ok(report),
            other => Err(self.refused(other)),
        }
    }

    /// What the process was told last, whether it runs or not; nothing when that is not known.
    pub fn last_configuration<C: DeserializeOwned>(&self) -> Option<C> {
        Files::of(&self.directory).read(CONFIGURATION).ok().flatten()
    }

    async fn hello(&self) -> Result<(u32, Option<ProgramFile>), ControlError> {
        match self.ask::<(), ()>(&Ask::Hello).await? {
            Answer::Hello { pid, program } => Ok((pid, program)),
            other => Err(self.refused(other)),
        }
    }

    /// See [`Daemon::stop`]; for a process that nobody watches.
    pub async fn stop(&self, drain: Duration) -> Result<(), ControlError> {
        let (pid, _) = self.hello().await?;
        match self.ask::<(), ()>(&Ask::Stop { drain_seconds: drain.as_secs() }).await? {
            Answer::Done => {}
            other => return Err(self.refused(other)),
        }
        let deadline = Instant::now() + drain + ANSWER_TIME;
        while Path::new("/proc").join(pid.to_string()).exists() && Instant::now() < deadline {
            self.environment.sleep(LOOK).await;
        }
        Ok(())
    }

    /// Starts a process, and waits until another one than `before` answers.
    async fn spawn(&self, before: Option<u32>) -> Result<(), ControlError> {
        let mut child = self.command().map_err(|error| ControlError::Start(self.program.clone(), error))?;
        if let (Some(started), Some(pid)) = (&self.started, child.id()) {
            started(pid);
        }
        let deadline = Instant::now() + START_TIME;
        loop {
            if let Ok((pid, _)) = self.hello().await
                && Some(pid) != before
            {
                break;
            }
            let ended = child.try_wait().is_ok_and(|status| status.is_some());
            if ended || Instant::now() > deadline {
                return Err(ControlError::Silent(self.name, self.log()));
            }
            self.environment.sleep(LOOK).await;
        }
        // Somebody has to take note of its end, should that come before ours.
        tokio::spawn(async move {
            let _ = child.wait().await;
        });
        Ok(())
    }

    /// Where the process says what it has to say about itself.
    pub fn log(&self) -> PathBuf {
        self.directory.join(format!("{}.log", self.command))
    }

    fn command(&self) -> io::Result<tokio::process::Child> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        let log = OpenOptions::new().create(true).mode(0o600).append(true).open(self.log())?;
        // What was read by somebody and given back takes no room.
        if log.metadata()?.blocks() * BLOCK > MOST_LOG {
            log.set_len(0)?;
        }
        let mut command = Command::new(&self.program);
        command.arg(self.command).arg("--dir").arg(&self.directory).args(&self.arguments);
        // Its log is read by programs.
        command.env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(false).spawn()
    }
}

/// Replaces a process that has died.
async fn watch(home: Arc<Home>) {
    let mut pause = WATCH;
    loop {
        home.environment.sleep(pause).await;
        // One that is busy lets the connection wait, one that has died refuses it.
        let alive = match UnixStream::connect(home.directory.join(SOCKET)).await {
            Ok(_) => true,
            Err(error) => !matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound),
        };
        if alive {
            pause = WATCH;
            continue;
        }
        tracing::warn!(directory = %home.directory.display(), "the process of the {} has died", home.name);
        match home.spawn(None).await {
            Ok(()) => pause = WATCH,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "it cannot be started");
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}
