//! The control channel of a container's agent: it is told there of sessions, and tells when it has one no more.

use super::relay::Note;
use super::{Control, Inner};
use crate::upgrade::{Frame, SessionError, Socket};
use bytes::Bytes;
use resources::ecs::{ExecAgent, Task};
use session_wire::{ControlOpening, Kind, Message, TaskComplete};
use std::time::Duration;
use store::StoreError;
use tokio::sync::mpsc;

/// Frames that wait for one agent.
const QUEUE: usize = 64;
/// Wait for the first text.
const OPENING_TIME: Duration = Duration::from_secs(30);
/// Time between two pings, and a silence after which the agent is gone.
pub(super) const PING: Duration = Duration::from_secs(30);
pub(super) const SILENCE: Duration = Duration::from_secs(90);

/// Serves an agent until it or the connection goes.
pub(super) async fn serve(gateway: &Inner, target: &str, socket: &mut Socket) -> Result<(), SessionError> {
    let Some(token) = opening_token(gateway, socket).await? else { return Ok(()) };
    let Some(account) = gateway.tokens.control_account(&token, target, gateway.environment.now()) else {
        tracing::info!(target, "a control channel has no valid token");
        return Ok(());
    };
    let Ok(found) = gateway.find_target(&account, target).await else { return Ok(()) };
    let (frames, mut queue) = mpsc::channel(QUEUE);
    let number = gateway.next_number();
    let key = format!("{account}/{target}");
    gateway.controls.lock().insert(key.clone(), Control { number, frames });
    set_connected(gateway, &found.task, &found.container, true).await?;
    gateway.control_opened.notify_waiters();
    tracing::debug!(target, "a control channel is open");
    let ended = converse(gateway, socket, &mut queue).await;
    let own = {
        let mut controls = gateway.controls.lock();
        let own = controls.get(&key).is_some_and(|control| control.number == number);
        if own {
            controls.remove(&key);
        }
        own
    };
    if own {
        set_connected(gateway, &found.task, &found.container, false).await?;
    }
    ended
}

/// The token of the first text; `None` when it is none.
async fn opening_token(gateway: &Inner, socket: &mut Socket) -> Result<Option<String>, SessionError> {
    let first = tokio::select! {
        frame = socket.frame() => frame?,
        () = gateway.environment.sleep(OPENING_TIME) => return Err(SessionError::Silent),
    };
    let opening = match &first {
        Frame::Text(text) => serde_json::from_str::<ControlOpening>(text).ok(),
        Frame::Binary(_) | Frame::Other => None,
    };
    Ok(opening.map(|opening| opening.token_value))
}

async fn converse(
    gateway: &Inner,
    socket: &mut Socket,
    queue: &mut mpsc::Receiver<Bytes>,
) -> Result<(), SessionError> {
    let mut heard_at = gateway.environment.now();
    let mut ping_at = heard_at + PING;
    loop {
        tokio::select! {
            frame = socket.frame() => {
                heard_at = gateway.environment.now();
                if let Frame::Binary(frame) = frame? && let Some(answer) = hear(gateway, &frame).await {
                    socket.send_bytes(answer).await?;
                }
            }
            order = queue.recv() => match order {
                Some(order) => socket.send_bytes(order).await?,
                None => return Err(SessionError::Replaced),
            },
            () = gateway.environment.sleep_until(ping_at) => {
                ping_at = gateway.environment.now() + PING;
                socket.ping().await?;
            }
            () = gateway.environment.sleep_until(heard_at + SILENCE) => return Err(SessionError::Silent),
        }
    }
}

/// Takes what an agent says; answers what to reply.
async fn hear(gateway: &Inner, frame: &Bytes) -> Option<Bytes> {
    let message = Message::decode(frame).ok()?;
    if message.kind != Kind::TaskComplete {
        return None;
    }
    let complete: TaskComplete = serde_json::from_slice(&message.payload).ok()?;
    let relay = gateway.relays.lock().get(&complete.task_id).cloned();
    if let Some(relay) = relay {
        // A relay that takes no more is ending by itself.
        let _ = relay.send(Note::Over(complete.output)).await;
    }
    let answer = serde_json::json!({
        "SchemaVersion": 1, "MessageId": message.id.to_string(), "TaskId": complete.task_id, "Topic": complete.topic,
    });
    Some(Message::alone(Kind::TaskAcknowledge, answer.to_string(), &gateway.environment).encode())
}

/// Notes in the task whether its container can be told of sessions.
async fn set_connected(
    gateway: &Inner,
    task: &str,
    container: &str,
    connected: bool,
) -> Result<(), StoreError> {
    let change = |old: &Task| {
        let mut new = old.clone();
        let own = new.containers.iter_mut().find(|own| own.name == container);
        let Some(own) = own else { return Ok(None) };
        own.exec_agent.get_or_insert_with(ExecAgent::default).connected = connected;
        Ok::<_, StoreError>(Some(new))
    };
    gateway.tables.update(task, change).await.map(|_| ())
}
