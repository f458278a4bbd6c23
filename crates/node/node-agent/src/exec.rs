//! Commands in containers, as the published agent of Session Manager runs them inside of each: a control channel to the
//! region by which it learns of sessions, and a data channel for each session.
//!
//! Here the agent of the machine speaks for its containers, and acts as the role of their task, as the one inside would.
//! It speaks that agent's protocol and nothing else.

mod channel;
mod command;
mod session;
mod transcript;

use crate::backoff::Backoff;
use crate::roles::{RoleKind, TaskRoles};
use crate::task::Host;
use crate::task::advance::Event;
use crate::task::definition::TaskDefinition;
use crate::task::record::{ExecAgentState, Status};
use aws_wire::sigv4::Signer;
use channel::{Channel, ChannelError, Frame};
use session_wire::{Kind, Message, SessionOrder, TaskComplete};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

/// Pauses between attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MOST_PAUSE: Duration = Duration::from_secs(15);
/// Attempts after which it is said that the agent does not run. It goes on trying.
const PATIENCE: u32 = 5;
/// Sessions of a container at a time.
const MOST_SESSIONS: usize = 32;
/// A server that is silent for so long is taken as gone; it pings more often.
const SILENCE: Duration = Duration::from_secs(90);
/// Time for sessions to tell their end after that of their container.
const FAREWELL: Duration = Duration::from_secs(10);

/// The agent of one container.
#[derive(Clone)]
pub(crate) struct ExecAgent {
    pub(crate) host: Arc<Host>,
    pub(crate) task: Arc<TaskDefinition>,
    pub(crate) roles: Arc<TaskRoles>,
    /// Index of the container.
    pub(crate) container: usize,
    /// Id that the runtime gave it.
    pub(crate) runtime_id: String,
    /// Where its state goes.
    pub(crate) events: mpsc::Sender<Event>,
}

impl ExecAgent {
    /// What names the container to the server.
    fn target(&self) -> String {
        let cluster = self.task.cluster.rsplit('/').next().unwrap_or_default();
        format!("ecs:{cluster}_{}_{}", self.task.id, self.runtime_id)
    }

    async fn signer(&self) -> Signer {
        self.roles.wait(RoleKind::Task).await.signer(&self.host.api.signer().region)
    }

    async fn tell(&self, status: Status, reason: Option<String>) {
        let state = ExecAgentState { status, reason };
        // A runner that is gone wants to know nothing more.
        let _ = self.events.send(Event::ExecAgent { container: self.container, state }).await;
    }

    /// Serves until the container has ended, and sessions have told so.
    pub(crate) async fn run(self, ended: Arc<Notify>) {
        let mut sessions = JoinSet::new();
        tokio::select! {
            () = self.serve(&mut sessions) => {}
            () = ended.notified() => {}
        }
        tokio::select! {
            () = async { while sessions.join_next().await.is_some() {} } => {}
            () = self.host.environment.sleep(FAREWELL) => {}
        }
    }

    /// Keeps the control channel open for ever.
    async fn serve(&self, sessions: &mut JoinSet<Option<TaskComplete>>) {
        let environment = &self.host.environment;
        let mut backoff = Backoff::new(FIRST_PAUSE, MOST_PAUSE);
        let mut failures = 0;
        loop {
            let error = match self.open().await {
                Ok(mut channel) => {
                    failures = 0;
                    backoff.reset();
                    self.tell(Status::Running, None).await;
                    self.converse(&mut channel, sessions).await
                }
                Err(error) => {
                    failures += 1;
                    error
                }
            };
            tracing::debug!(task = self.task.id, container = self.container, %error, "no control channel");
            if failures == PATIENCE {
                self.tell(Status::Stopped, Some(format!("ExecuteCommandAgent: {error}"))).await;
            }
            environment.sleep(backoff.next(environment)).await;
        }
    }

    async fn open(&self) -> Result<Channel, ChannelError> {
        Channel::open_control(&self.host.api, &self.signer().await, &self.target()).await
    }

    async fn converse(
        &self,
        channel: &mut Channel,
        sessions: &mut JoinSet<Option<TaskComplete>>,
    ) -> ChannelError {
        let environment = &self.host.environment;
        loop {
            let silent_at = environment.now() + SILENCE;
            let heard = tokio::select! {
                frame = channel.receive() => frame,
                Some(ended) = sessions.join_next(), if !sessions.is_empty() => {
                    // A session that panicked ends by the server's patience.
                    match ended.ok().flatten() {
                        Some(complete) => self.complete(channel, &complete).await.map(|()| Frame::Other),
                        None => Ok(Frame::Other),
                    }
                }
                () = environment.sleep_until(silent_at) => Err(ChannelError::Silent),
            };
            match heard {
                Ok(Frame::Binary(frame)) => {
                    if let Ok(message) = Message::decode(&frame)
                        && message.kind == Kind::InteractiveShell
                    {
                        self.begin(&message, sessions);
                    }
                }
                Ok(Frame::Other) => {}
                Err(error) => return error,
            }
        }
    }

    fn begin(&self, message: &Message, sessions: &mut JoinSet<Option<TaskComplete>>) {
        let order = match SessionOrder::read(&message.payload) {
            Ok(order) if sessions.len() < MOST_SESSIONS => order,
            Ok(order) => {
                let complete = failed(&order.session_id, "The container has too many sessions.".to_owned());
                sessions.spawn(async move { Some(complete) });
                return;
            }
            Err(error) => {
                tracing::warn!(task = self.task.id, %error, "a session cannot be understood and is left out");
                return;
            }
        };
        let agent = self.clone();
        sessions.spawn(async move {
            tracing::info!(task = agent.task.id, session = order.session_id, "a session begins");
            let ended = session::run(&agent, &order).await;
            ended.err().map(|error| failed(&order.session_id, error.to_string()))
        });
    }

    async fn complete(&self, channel: &mut Channel, complete: &TaskComplete) -> Result<(), ChannelError> {
        // Documents of texts can always be written.
        let text = serde_json::to_string(complete).unwrap_or_default();
        channel.send(Message::alone(Kind::TaskComplete, text, &self.host.environment).encode()).await
    }
}

fn failed(session: &str, output: String) -> TaskComplete {
    TaskComplete {
        schema_version: 1,
        task_id: session.to_owned(),
        topic: "interactive_shell".to_owned(),
        final_task_status: "Failed".to_owned(),
        output,
    }
}
