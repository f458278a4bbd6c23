//! A data channel: the client's or the agent's end of a session.

use super::Inner;
use super::control::{PING, SILENCE};
use super::relay::{FRAMES, Note, Side, closed};
use super::tokens::Use;
use crate::upgrade::{Frame, SessionError, Socket};
use bytes::Bytes;
use resources::ssm::{Session, SessionStatus};
use session_wire::{DataOpening, Kind, Message};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Wait for the first text.
const OPENING_TIME: Duration = Duration::from_secs(30);

/// Serves one end of a session until it, the connection or the session is over.
pub(super) async fn serve(gateway: &Arc<Inner>, id: &str, socket: &mut Socket) -> Result<(), SessionError> {
    let first = tokio::select! {
        frame = socket.frame() => frame?,
        () = gateway.environment.sleep(OPENING_TIME) => return Err(SessionError::Silent),
    };
    let opening = match &first {
        Frame::Text(text) => serde_json::from_str::<DataOpening>(text).ok(),
        Frame::Binary(_) | Frame::Other => None,
    };
    let Some(opening) = opening else { return Ok(()) };
    let side = match side_of(gateway, id, &opening.token_value).await {
        Some(Ok(side)) => side,
        // A session may be over before its client comes, which then learns why.
        Some(Err(closed)) => return socket.send_bytes(closed).await,
        None => {
            tracing::info!(session = id, "a data channel has no valid token");
            return Ok(());
        }
    };
    let last = match gateway.relay_of(id).await {
        Some(notes) => join(gateway, socket, &notes, side).await?,
        None => None,
    };
    let is_told = last
        .and_then(|frame| Message::decode(&frame).ok())
        .is_some_and(|last| last.kind == Kind::ChannelClosed);
    if side == Side::Client && !is_told {
        return say_if_over(gateway, id, socket).await;
    }
    Ok(())
}

/// Takes part in a session until that, or the connection, is over; answers what it was handed last.
async fn join(
    gateway: &Inner,
    socket: &mut Socket,
    notes: &mpsc::Sender<Note>,
    side: Side,
) -> Result<Option<Bytes>, SessionError> {
    let number = gateway.next_number();
    let (frames, queue) = mpsc::channel(FRAMES);
    if notes.send(Note::Joined { side, number, frames }).await.is_err() {
        return Ok(None);
    }
    let ended = converse(gateway, socket, queue, notes, side, number).await;
    // A relay that takes no more knows already.
    let _ = notes.send(Note::Left { side, number }).await;
    ended
}

/// Tells a client whose session has ended while it came, so that its relay said so to nobody.
async fn say_if_over(gateway: &Inner, id: &str, socket: &mut Socket) -> Result<(), SessionError> {
    match gateway.tables.get::<Session>(id).await {
        Ok(Some(session)) if session.status != SessionStatus::Active => {
            socket.send_bytes(closed(gateway, &session, &session.reason)).await
        }
        _ => Ok(()),
    }
}

/// Whose token it is, or what its owner is told of a session that is over. The client's is good until the session is
/// resumed.
async fn side_of(gateway: &Inner, id: &str, token: &str) -> Option<Result<Side, Bytes>> {
    let session = gateway.tables.get::<Session>(id).await.ok().flatten()?;
    let active = session.status == SessionStatus::Active;
    if session.token_hash == Session::hash_of(token) {
        return Some(if active { Ok(Side::Client) } else { Err(closed(gateway, &session, &session.reason)) });
    }
    let purpose = Use::Data(id.to_owned());
    (active && gateway.tokens.take(token, &purpose, gateway.environment.now())).then_some(Ok(Side::Agent))
}

async fn converse(
    gateway: &Inner,
    socket: &mut Socket,
    mut queue: mpsc::Receiver<Bytes>,
    notes: &mpsc::Sender<Note>,
    side: Side,
    number: u64,
) -> Result<Option<Bytes>, SessionError> {
    let mut last = None;
    let mut heard_at = gateway.environment.now();
    let mut ping_at = heard_at + PING;
    loop {
        tokio::select! {
            frame = socket.frame() => {
                heard_at = gateway.environment.now();
                if let Frame::Binary(frame) = frame? {
                    // A relay that takes no more has ended, and what it said last is in the queue.
                    let _ = notes.send(Note::Frame { side, number, frame }).await;
                }
            }
            frame = queue.recv() => match frame {
                Some(frame) => {
                    last = Some(frame.clone());
                    socket.send_bytes(frame).await?;
                }
                // The session is over, or another connection took the place of this one.
                None => return Ok(last),
            },
            () = gateway.environment.sleep_until(ping_at) => {
                ping_at = gateway.environment.now() + PING;
                socket.ping().await?;
            }
            () = gateway.environment.sleep_until(heard_at + SILENCE) => return Err(SessionError::Silent),
        }
    }
}
