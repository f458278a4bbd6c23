//! A sandbox as the agent holds it: questions to its shim, each over a connection of its own.

use crate::attachment::Attachment;
use crate::error::RuntimeError;
use crate::liveness;
use crate::logs::{LogPosition, LogReader};
use crate::protocol::{ContainerState, ExecResult, MOST_LINE_BYTES, Reply, Request, State, Usage};
use crate::spec::{AttachSpec, ContainerSpec, ExecSpec};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// A sandbox; cheap to clone. Dropping it does nothing to the sandbox.
#[derive(Clone, Debug)]
pub struct Sandbox {
    id: String,
    folder: PathBuf,
}

/// Follows the state of a sandbox's containers.
pub struct SandboxWatch {
    id: String,
    lock: PathBuf,
    lines: BufReader<UnixStream>,
}

impl Sandbox {
    pub(crate) fn new(id: &str, folder: PathBuf) -> Self {
        Self { id: id.to_owned(), folder }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("s")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.folder.join("lock")
    }

    /// Makes and starts a container, and returns its id. The error's text is a container engine's.
    pub async fn start(&self, spec: &ContainerSpec) -> Result<String, RuntimeError> {
        match self.ask(&Request::Start(Box::new(spec.clone()))).await? {
            Reply::Started(id) => Ok(id),
            other => Err(unexpected(&other)),
        }
    }

    /// Sends a signal to a container's first process; nothing happens when it has ended.
    pub async fn signal(&self, container: &str, signal: i32) -> Result<(), RuntimeError> {
        self.ask(&Request::Signal { container: container.to_owned(), signal }).await.map(|_| ())
    }

    /// Runs a command in a container and waits for its end.
    pub async fn exec(&self, container: &str, exec: &ExecSpec) -> Result<ExecResult, RuntimeError> {
        let request = Request::Exec { container: container.to_owned(), exec: exec.clone() };
        match self.ask(&request).await? {
            Reply::Executed(result) => Ok(result),
            other => Err(unexpected(&other)),
        }
    }

    /// Runs a command in a container and hands its streams over. Dropping the attachment kills the command.
    pub async fn attach(&self, container: &str, attach: &AttachSpec) -> Result<Attachment, RuntimeError> {
        let request = Request::Attach { container: container.to_owned(), attach: attach.clone() };
        let stream = send(&self.socket(), &request).await.map_err(|_| self.gone())?;
        let lock = self.lock();
        tokio::select! {
            biased;
            begun = Attachment::begin(stream, &self.id, lock.clone()) => begun,
            () = liveness::death(&lock) => Err(self.gone()),
        }
    }

    /// Use of resources of a container now.
    pub async fn usage(&self, container: &str) -> Result<Usage, RuntimeError> {
        match self.ask(&Request::Usage { container: container.to_owned() }).await? {
            Reply::Usage(usage) => Ok(usage),
            other => Err(unexpected(&other)),
        }
    }

    /// Follows the containers. The first state is the one now.
    pub async fn watch(&self) -> Result<SandboxWatch, RuntimeError> {
        let stream = send(&self.socket(), &Request::Watch).await.map_err(|_| self.gone())?;
        Ok(SandboxWatch { id: self.id.clone(), lock: self.lock(), lines: BufReader::new(stream) })
    }

    /// The last state that the shim wrote down, for when it is gone.
    pub fn last_state(&self) -> BTreeMap<String, ContainerState> {
        let text = std::fs::read(self.folder.join("state.json")).unwrap_or_default();
        serde_json::from_slice::<State>(&text).unwrap_or_default().containers
    }

    /// A container's output from a position on, or from its beginning.
    pub fn logs(&self, container: &str, from: Option<LogPosition>) -> LogReader {
        self.logs_of_run(container, 0, from)
    }

    /// The output of a later run of a container, counted from 0.
    pub fn logs_of_run(&self, container: &str, run: u32, from: Option<LogPosition>) -> LogReader {
        let folder = self.folder.join("logs").join(crate::logs::folder_of(container, run));
        LogReader::open(folder, self.lock(), from)
    }

    pub(crate) async fn ask(&self, request: &Request) -> Result<Reply, RuntimeError> {
        let (socket, lock) = (self.socket(), self.lock());
        let answer = tokio::select! {
            // An answer that is there counts, even when the shim is gone since.
            biased;
            answer = ask(&socket, request) => answer,
            () = liveness::death(&lock) => return Err(self.gone()),
        };
        match answer {
            Ok(Reply::Failed(text)) => Err(RuntimeError::Refused(text)),
            Ok(reply) => Ok(reply),
            Err(_) => Err(self.gone()),
        }
    }

    fn gone(&self) -> RuntimeError {
        RuntimeError::ShimGone(self.id.clone())
    }
}

impl SandboxWatch {
    /// Waits for the next state; [`RuntimeError::ShimGone`] when the shim has died.
    pub async fn next(&mut self) -> Result<BTreeMap<String, ContainerState>, RuntimeError> {
        let answer = tokio::select! {
            biased;
            answer = read(&mut self.lines) => answer,
            () = liveness::death(&self.lock) => return Err(RuntimeError::ShimGone(self.id.clone())),
        };
        match answer {
            Ok(Reply::State(state)) => Ok(state.containers),
            Ok(other) => Err(unexpected(&other)),
            Err(_) => Err(RuntimeError::ShimGone(self.id.clone())),
        }
    }
}

fn unexpected(reply: &Reply) -> RuntimeError {
    match reply {
        Reply::Failed(text) => RuntimeError::Refused(text.clone()),
        other => RuntimeError::Refused(format!("the shim gave an answer to another question: {other:?}")),
    }
}

async fn send(socket: &Path, request: &Request) -> std::io::Result<UnixStream> {
    let mut stream = UnixStream::connect(socket).await?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    Ok(stream)
}

async fn read(lines: &mut BufReader<UnixStream>) -> std::io::Result<Reply> {
    let mut line = Vec::new();
    lines.take(MOST_LINE_BYTES as u64).read_until(b'\n', &mut line).await?;
    if line.is_empty() {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_slice(&line)?)
}

/// One question and its answer.
pub(crate) async fn ask(socket: &Path, request: &Request) -> std::io::Result<Reply> {
    read(&mut BufReader::new(send(socket, request).await?)).await
}
