//! One session: a command in a container, and the stream that connects it with a client.

mod link;
mod process;

use super::ExecAgent;
use super::channel::VERSION;
use super::command::words;
use super::transcript::Transcript;
use crate::api::TaskApi;
use crate::engine::{AttachPlan, EngineError};
use bytes::Bytes;
use environment::Timestamp;
use link::{Link, Over};
use process::{Process, Said};
use session_wire::{
    Action, EXIT_CODE_ACTION, FLAG_DISCONNECT_TO_PORT, FLAG_TERMINATE_SESSION, HandshakeComplete,
    HandshakeRequest, HandshakeResponse, Message, PayloadType, SESSION_TYPE_ACTION, SESSION_TYPE_INTERACTIVE,
    SessionOrder, Size,
};
use std::time::Duration;

/// Time for a client to answer the handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(45);
/// Time for a client to tell the size of its terminal before the command starts without.
const SIZE_TIME: Duration = Duration::from_secs(3);
/// Time for the last output to arrive at a client that is there.
const FLUSH_TIME: Duration = Duration::from_secs(60);
/// Time for the server to say that the session is over.
const CLOSE_TIME: Duration = Duration::from_secs(10);
/// Size of a terminal of which none is told.
const USUAL_SIZE: Size = Size { cols: 80, rows: 24 };
/// What commands find in their environment, unless the container says otherwise; as the published agent has it.
const VARIABLES: [&str; 2] = ["TERM=xterm-256color", "LANG=C.UTF-8"];

/// Why a session failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    /// The command line cannot be read.
    #[error("Unable to start command: {0}")]
    Command(String),
    /// The command did not start.
    #[error("Unable to start command: {0}")]
    Start(#[from] EngineError),
    /// The client does not answer as it should.
    #[error(
        "Handshake timed out. Please ensure that you have the latest version of the session manager plugin."
    )]
    Handshake,
    /// The channel.
    #[error("The connection to the session was lost: {0}")]
    Lost(String),
}

/// What the client has agreed to, and said first.
struct Begun {
    tells_exit_code: bool,
    /// `None` when the client has no terminal.
    size: Option<Size>,
    /// What was said before the command runs.
    early: Vec<Message>,
}

/// Runs a session to its end.
pub(super) async fn run(agent: &ExecAgent, order: &SessionOrder) -> Result<(), SessionError> {
    let argv =
        words(&order.command).ok_or_else(|| SessionError::Command("a quote is not closed".to_owned()))?;
    if argv.is_empty() {
        return Err(SessionError::Command("no command specified".to_owned()));
    }
    let mut link = Link::open(agent.clone(), order.session_id.clone()).await.map_err(lost)?;
    let outcome = converse(agent, order, argv, &mut link).await;
    match outcome {
        Ok(()) | Err(Ended::Over(Over::Closed)) => {
            link.close().await;
            Ok(())
        }
        Err(Ended::Over(Over::Lost(reason))) => Err(SessionError::Lost(reason)),
        Err(Ended::Failed(error)) => Err(error),
    }
}

fn lost(over: Over) -> SessionError {
    match over {
        Over::Closed => SessionError::Lost("it was closed".to_owned()),
        Over::Lost(reason) => SessionError::Lost(reason),
    }
}

/// Why a session does not go on.
enum Ended {
    Over(Over),
    Failed(SessionError),
}

impl From<Over> for Ended {
    fn from(over: Over) -> Self {
        Self::Over(over)
    }
}

impl From<SessionError> for Ended {
    fn from(error: SessionError) -> Self {
        Self::Failed(error)
    }
}

async fn converse(
    agent: &ExecAgent,
    order: &SessionOrder,
    argv: Vec<String>,
    link: &mut Link,
) -> Result<(), Ended> {
    let begun = begin(agent, link).await?;
    let plan = AttachPlan {
        argv,
        env: VARIABLES.iter().map(|pair| (*pair).to_owned()).collect(),
        terminal: begun.size.is_some(),
    };
    let name = &agent.task.containers[agent.container].name;
    let started = agent.host.engine.attach(&agent.task.id, name, &plan).await;
    let mut process = Process::new(started.map_err(SessionError::Start)?, agent.host.environment.clone());
    if let Some(size) = begun.size {
        process.resize(size);
    }
    let transcript = order.logs.as_ref().map(|to| {
        let api = TaskApi::as_task(agent.host.api.clone(), &agent.task.arn, agent.roles.clone());
        Transcript::open(api, agent.host.environment.clone(), to.group.clone(), order.session_id.clone())
    });
    for message in begun.early {
        take(&message, link, &mut process).await?;
    }
    let outcome = pump(link, &mut process, transcript.as_ref()).await;
    if let Some(transcript) = transcript {
        transcript.close().await;
    }
    outcome?;
    if let (true, Some(code)) = (begun.tells_exit_code, process.code()) {
        link.push(PayloadType::ExitCode, Bytes::from(code.to_string())).await?;
    }
    // What the client has not acknowledged now, it may never: it is gone, or about to be told.
    link.flush(FLUSH_TIME).await?;
    link.say_terminating().await?;
    link.wait_for_close(CLOSE_TIME).await.map_err(Ended::Over)
}

/// The handshake, and what the client says first.
async fn begin(agent: &ExecAgent, link: &mut Link) -> Result<Begun, Ended> {
    let environment = &agent.host.environment;
    let began = environment.now();
    let action = |action_type: &str, action_parameters| Action {
        action_type: action_type.to_owned(),
        action_parameters,
    };
    let request = HandshakeRequest {
        agent_version: VERSION.to_owned(),
        requested_client_actions: vec![
            action(
                SESSION_TYPE_ACTION,
                serde_json::json!({"SessionType": SESSION_TYPE_INTERACTIVE, "Properties": {}}),
            ),
            action(EXIT_CODE_ACTION, serde_json::json!({})),
        ],
    };
    link.push(PayloadType::HandshakeRequest, document(&request)).await?;
    let response = wait_for(link, began + HANDSHAKE_TIME, |message| {
        (message.payload_type == PayloadType::HandshakeResponse).then(|| message.payload.clone())
    });
    let (response, _) = response.await?.ok_or(SessionError::Handshake)?;
    let response: HandshakeResponse =
        serde_json::from_slice(&response).map_err(|_| SessionError::Handshake)?;
    if !response.did(SESSION_TYPE_ACTION) {
        return Err(SessionError::Handshake.into());
    }
    let took = environment.now().since(began).as_nanos();
    let complete = HandshakeComplete {
        handshake_time_to_complete: i64::try_from(took).unwrap_or(i64::MAX),
        customer_message: String::new(),
    };
    link.push(PayloadType::HandshakeComplete, document(&complete)).await?;
    let size = wait_for(link, environment.now() + SIZE_TIME, |message| {
        (message.payload_type == PayloadType::Size)
            .then(|| serde_json::from_slice::<Size>(&message.payload).ok())
    });
    let (size, early) = match size.await? {
        Some((size, early)) => (size.unwrap_or(USUAL_SIZE), early),
        None => (USUAL_SIZE, link.take_unheard()),
    };
    // A terminal of no size is none.
    let size = (size != Size { cols: 0, rows: 0 }).then_some(size);
    Ok(Begun { tells_exit_code: response.did(EXIT_CODE_ACTION), size, early })
}

fn document(value: &impl serde::Serialize) -> Bytes {
    // Documents of texts and numbers can always be written.
    Bytes::from(serde_json::to_vec(value).unwrap_or_default())
}

/// Waits for a message that is wanted; answers with it those that came before it. `None` when the time is over: what
/// came is kept with the link then.
async fn wait_for<T>(
    link: &mut Link,
    deadline: Timestamp,
    mut wanted: impl FnMut(&Message) -> Option<T>,
) -> Result<Option<(T, Vec<Message>)>, Over> {
    loop {
        for message in link.take_unheard() {
            let found = wanted(&message);
            // There is room for what comes before a command: it is little.
            link.acknowledge(&message).await?;
            match found {
                Some(found) => return Ok(Some((found, link.take_kept()))),
                None => link.keep(message),
            }
        }
        if !link.wait_until(deadline).await? {
            let kept = link.take_kept();
            link.put_back(kept);
            return Ok(None);
        }
    }
}

/// Hands everything to and fro until the command has ended and has said all.
async fn pump(link: &mut Link, process: &mut Process, transcript: Option<&Transcript>) -> Result<(), Ended> {
    while !process.is_over() {
        let has_room = !link.is_full();
        tokio::select! {
            heard = link.wait() => {
                link.act(heard).await?;
            }
            said = process.next(has_room) => match said {
                Said::Output(bytes) => {
                    if let Some(transcript) = transcript {
                        transcript.take(&bytes).await;
                    }
                    link.push(PayloadType::Output, bytes).await?;
                }
                Said::Error(bytes) => {
                    if let Some(transcript) = transcript {
                        transcript.take(&bytes).await;
                    }
                    link.push(PayloadType::StdErr, bytes).await?;
                }
                Said::Nothing => {}
            },
        }
        // What cannot be written yet is not acknowledged, so that the client waits.
        while process.has_room()
            && let Some(message) = link.next_unheard()
        {
            take(&message, link, process).await?;
        }
    }
    Ok(())
}

/// Takes what the client says.
async fn take(message: &Message, link: &mut Link, process: &mut Process) -> Result<(), Over> {
    match message.payload_type {
        PayloadType::Output => process.write(message.payload.clone()),
        PayloadType::Size => {
            if let Ok(size) = serde_json::from_slice(&message.payload) {
                process.resize(size);
            }
        }
        PayloadType::Flag => match <[u8; 4]>::try_from(&message.payload[..]).map(u32::from_be_bytes) {
            Ok(FLAG_DISCONNECT_TO_PORT) => process.end_input(),
            Ok(FLAG_TERMINATE_SESSION) => process.kill(),
            Ok(_) | Err(_) => {}
        },
        _ => {}
    }
    link.acknowledge(message).await
}
