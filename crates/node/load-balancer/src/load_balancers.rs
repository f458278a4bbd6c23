//! For who configures the process of a directory.

use crate::COMMAND;
use crate::control::{self, Answer, Ask, ProgramFile, SOCKET};
use environment::Environment;
use load_balancing::{Configuration, Report};
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// What the process says about itself.
pub(crate) const LOG: &str = "load-balancer.log";
/// Size at which its log begins anew when a process starts.
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

/// Why the process could not be told.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The program could not be started.
    #[error("cannot start {0}")]
    Start(PathBuf, #[source] io::Error),
    /// The process did not come up in time.
    #[error("the load balancers did not start in time; see {0}")]
    Silent(PathBuf),
    /// There was no conversation.
    #[error("the process of the load balancers does not answer")]
    Unreachable(#[source] io::Error),
    /// It does not do what it is told in time.
    #[error("the proxy is not ready: {0}")]
    NotReady(String),
    /// It did not do it.
    #[error("the process of the load balancers refuses: {0}")]
    Refused(String),
}

/// The process that serves the load balancers of a directory.
///
/// It goes on when this is dropped, and when the process that made this dies. While this lives, a process that has died is
/// replaced, with growing pauses; it goes on with its last configuration by itself.
#[derive(Debug)]
pub struct LoadBalancers {
    place: Arc<Place>,
    watch: JoinHandle<()>,
}

pub(crate) struct Place {
    pub(crate) directory: PathBuf,
    pub(crate) program: PathBuf,
    pub(crate) environment: Environment,
    pub(crate) within: Option<Within>,
}

/// The task that a process is the proxy of.
#[derive(Clone)]
pub(crate) struct Within {
    /// Its network namespace.
    pub(crate) network_namespace: PathBuf,
    /// Told the id of each process that is started.
    pub(crate) started: Arc<dyn Fn(u32) + Send + Sync>,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl Drop for LoadBalancers {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

impl LoadBalancers {
    /// Finds the process of `directory`, or starts `program` with [`COMMAND`], `--dir` and the directory. One that was started
    /// from another file than `program` is now hands over to a new one.
    pub async fn start(
        directory: &Path,
        program: &Path,
        environment: &Environment,
    ) -> Result<Self, ControlError> {
        Self::at(Place {
            directory: directory.to_owned(),
            program: program.to_owned(),
            environment: environment.clone(),
            within: None,
        })
        .await
    }

    pub(crate) async fn at(place: Place) -> Result<Self, ControlError> {
        let place = Arc::new(place);
        match place.hello().await {
            Ok((_, running)) if running == ProgramFile::of(&place.program) => {}
            Ok((pid, _)) => place.spawn(Some(pid)).await?,
            Err(_) => place.spawn(None).await?,
        }
        let watch = tokio::spawn(watch(place.clone()));
        Ok(Self { place, watch })
    }

    /// Has it do from now on what `configuration` says. When this succeeds, the configuration is on disk and at work.
    pub async fn apply(&self, configuration: &Configuration) -> Result<(), ControlError> {
        match self.place.ask(&Ask::Apply(configuration.clone())).await? {
            Answer::Done => Ok(()),
            other => Err(refused(other)),
        }
    }

    /// What it has seen.
    pub async fn report(&self) -> Result<Report, ControlError> {
        match self.place.ask(&Ask::Report).await? {
            Answer::Report(report) => Ok(report),
            other => Err(refused(other)),
        }
    }

    /// The process id.
    pub async fn pid(&self) -> Result<u32, ControlError> {
        self.place.hello().await.map(|(pid, _)| pid)
    }

    /// Has a new process of the program take over, whatever runs now.
    pub async fn replace(&self) -> Result<(), ControlError> {
        let (pid, _) = self.place.hello().await?;
        self.place.spawn(Some(pid)).await
    }

    /// Ends it: at once nothing new is accepted, and what is in progress may take as long as `drain`.
    pub async fn stop(self, drain: Duration) -> Result<(), ControlError> {
        self.watch.abort();
        self.place.stop(drain).await
    }
}

fn refused(answer: Answer) -> ControlError {
    match answer {
        Answer::Failed(reason) => ControlError::Refused(reason),
        _ => ControlError::Refused("it answers something else".to_owned()),
    }
}

impl Place {
    async fn ask(&self, ask: &Ask) -> Result<Answer, ControlError> {
        let conversation = async {
            let mut stream = UnixStream::connect(self.directory.join(SOCKET)).await?;
            control::ask(&mut stream, ask).await
        };
        match timeout(ANSWER_TIME, conversation).await {
            Ok(result) => result.map_err(ControlError::Unreachable),
            Err(_) => Err(ControlError::Unreachable(io::ErrorKind::TimedOut.into())),
        }
    }

    async fn hello(&self) -> Result<(u32, Option<ProgramFile>), ControlError> {
        match self.ask(&Ask::Hello).await? {
            Answer::Hello { pid, program } => Ok((pid, program)),
            other => Err(refused(other)),
        }
    }

    /// See [`LoadBalancers::stop`].
    pub(crate) async fn stop(&self, drain: Duration) -> Result<(), ControlError> {
        let (pid, _) = self.hello().await?;
        match self.ask(&Ask::Stop { drain_seconds: drain.as_secs() }).await? {
            Answer::Done => {}
            other => return Err(refused(other)),
        }
        let deadline = Instant::now() + drain + ANSWER_TIME;
        while Path::new("/proc").join(pid.to_string()).exists() && Instant::now() < deadline {
            self.environment.sleep(LOOK).await;
        }
        Ok(())
    }

    /// Starts a process, and waits until another one than `before` answers.
    async fn spawn(&self, before: Option<u32>) -> Result<(), ControlError> {
        let log = self.directory.join(LOG);
        let mut child = self.command().map_err(|error| ControlError::Start(self.program.clone(), error))?;
        if let (Some(within), Some(pid)) = (&self.within, child.id()) {
            (within.started)(pid);
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
                return Err(ControlError::Silent(log));
            }
            self.environment.sleep(LOOK).await;
        }
        // Somebody has to take note of its end, should that come before ours.
        tokio::spawn(async move {
            let _ = child.wait().await;
        });
        Ok(())
    }

    fn command(&self) -> io::Result<tokio::process::Child> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        let path = self.directory.join(LOG);
        let log = OpenOptions::new().create(true).mode(0o600).append(true).open(path)?;
        // What was read by somebody and given back takes no room.
        if log.metadata()?.blocks() * BLOCK > MOST_LOG {
            log.set_len(0)?;
        }
        let mut command = Command::new(&self.program);
        // Its log is read by programs.
        command.arg(COMMAND).arg("--dir").arg(&self.directory).env("NO_COLOR", "1");
        if let Some(within) = &self.within {
            command.arg("--network-namespace").arg(&within.network_namespace);
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(false).spawn()
    }
}

/// Replaces a process that has died.
async fn watch(place: Arc<Place>) {
    let mut pause = WATCH;
    loop {
        place.environment.sleep(pause).await;
        // One that is busy lets the connection wait, one that has died refuses it.
        let alive = match UnixStream::connect(place.directory.join(SOCKET)).await {
            Ok(_) => true,
            Err(error) => !matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound),
        };
        if alive {
            pause = WATCH;
            continue;
        }
        tracing::warn!(directory = %place.directory.display(), "the process of the load balancers has died");
        match place.spawn(None).await {
            Ok(()) => pause = WATCH,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "it cannot be started");
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}
