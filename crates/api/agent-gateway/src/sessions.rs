//! The channels of sessions: commands in containers that somebody talks to.
//!
//! Both ends dial: the agent of a container keeps a control channel open and learns there of a session; then it, like
//! the client that has asked for the session, opens the session's data channel. In between a [`relay`] hands messages
//! on, and says to each end what becomes of the other. It keeps no data: what was not acknowledged is sent again by the
//! end that has it.
//!
//! What is asked for is in the store: a session is a row that ExecuteCommand writes and TerminateSession changes. A
//! channel is let in by a token. An agent gets its tokens for signed requests, which need `ssmmessages:CreateControlChannel`
//! and `ssmmessages:CreateDataChannel`; a client has its token from ExecuteCommand or ResumeSession.
//!
//! Both ends of a session must reach the same server.

mod control;
mod data;
mod open;
mod relay;
mod tokens;

use crate::upgrade;
use access::{Access, Caller};
use bytes::Bytes;
use environment::Environment;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use identifiers::Region;
use open::Denied;
use parking_lot::Mutex;
use relay::Note;
use resources::ssm::{Session, SessionStatus};
use session_wire::TokenAnswer;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use store::{StoreError, TableChange, Tables, Versioned};
use tokens::{Tokens, Use};
use tokio::sync::{Notify, Semaphore, mpsc, watch};

/// Path of control channels, before the target.
const CONTROL: &str = "/v1/control-channel/";
/// Path of data channels, before the session.
const DATA: &str = "/v1/data-channel/";
/// Largest request for a channel.
pub const MOST_REQUEST_BYTES: usize = 64 * 1024;
/// Most channels at a time.
const MOST_CHANNELS: u32 = 20_000;
/// Pause before watching anew.
const PAUSE: Duration = Duration::from_millis(200);
/// How long the row of a session that is over is kept.
const KEEP: Duration = Duration::from_secs(3600);
/// How long channels may take to end at shutdown.
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// The gateway of sessions; cheap to clone.
#[derive(Clone)]
pub struct SessionGateway(Arc<Inner>);

pub(crate) struct Inner {
    tables: Tables,
    access: Access,
    environment: Environment,
    region: Region,
    places: Arc<Semaphore>,
    stop: watch::Sender<bool>,
    tokens: Tokens,
    /// Open control channels, by target.
    controls: Mutex<HashMap<String, Control>>,
    /// Numbers connections.
    numbers: AtomicU64,
    /// Told when a control channel opens.
    control_opened: Notify,
    /// Relays of sessions that are not over.
    relays: Mutex<HashMap<String, mpsc::Sender<Note>>>,
}

/// An open control channel.
struct Control {
    /// Tells it from the one that takes its place.
    number: u64,
    frames: mpsc::Sender<Bytes>,
}

/// What a request is for.
enum Wanted<'a> {
    Control(&'a str),
    Data(&'a str),
}

impl SessionGateway {
    /// A gateway over a region's tables. It takes care of the sessions there until it is stopped.
    pub fn new(tables: Tables, access: Access, region: Region) -> Self {
        let gateway = Arc::new(Inner {
            environment: tables.environment().clone(),
            tables,
            access,
            region,
            places: Arc::new(Semaphore::new(MOST_CHANNELS as usize)),
            stop: watch::Sender::new(false),
            tokens: Tokens::default(),
            controls: Mutex::default(),
            numbers: AtomicU64::new(0),
            control_opened: Notify::new(),
            relays: Mutex::default(),
        });
        let (own, mut stopped) = (gateway.clone(), gateway.stop.subscribe());
        tokio::spawn(async move {
            tokio::select! {
                () = follow(&own) => {}
                _ = stopped.wait_for(|stopped| *stopped) => {}
            }
        });
        Self(gateway)
    }

    /// Whether a path is one of the gateway's.
    pub fn serves(path: &str) -> bool {
        wanted(path).is_some()
    }

    /// Answers an agent that asks for a token. `caller` is who has signed.
    pub async fn create_channel(
        &self,
        path: &str,
        caller: &Caller,
        facts: ChannelFacts<'_>,
    ) -> Response<Full<Bytes>> {
        let made = match wanted(path) {
            Some(Wanted::Control(target)) => self.0.create_control(caller, target, &facts).await,
            Some(Wanted::Data(session)) => self.0.create_data(caller, session, &facts).await,
            None => Err(Denied::NotFound),
        };
        match made {
            Ok((operation, token)) => xml(StatusCode::CREATED, TokenAnswer::write(operation, &token)),
            Err(denied) => denied_response(&denied),
        }
    }

    /// Answers somebody who wants a channel: an upgrade to a websocket, which runs on its own. What lets it in is the
    /// token that it sends first.
    pub fn open_channel(&self, mut request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        if wanted(&path).is_none() || request.method() != Method::GET {
            return denied_response(&Denied::NotFound);
        }
        let Ok(place) = self.0.places.clone().try_acquire_owned() else {
            return denied_response(&Denied::Busy);
        };
        let (response, upgrading) = match upgrade::begin(&mut request) {
            Ok(begun) => begun,
            Err(refused) => return denied_response(&Denied::Wrong(refused.message)),
        };
        let gateway = self.0.clone();
        let mut stopped = gateway.stop.subscribe();
        tokio::spawn(async move {
            let channel = async {
                let mut socket = upgrade::finish(upgrading, gateway.environment.clone()).await?;
                let ended = match wanted(&path) {
                    Some(Wanted::Control(target)) => control::serve(&gateway, target, &mut socket).await,
                    Some(Wanted::Data(session)) => data::serve(&gateway, session, &mut socket).await,
                    None => Ok(()),
                };
                socket.close().await;
                ended
            };
            let ended = tokio::select! {
                ended = channel => ended,
                _ = stopped.wait_for(|stopped| *stopped) => Ok(()),
            };
            if let Err(error) = ended {
                tracing::debug!(path, %error, "a channel ended");
            }
            drop(place);
        });
        response
    }

    /// Ends all channels and waits for them, within a bound. Sessions stay as they are in the store.
    pub async fn stop(&self) {
        self.0.stop.send_replace(true);
        let all_gone = self.0.places.acquire_many(MOST_CHANNELS);
        tokio::select! {
            _ = all_gone => {}
            () = self.0.environment.sleep(DRAIN_TIME) => tracing::warn!("channels of sessions did not end in time"),
        }
    }
}

/// What is known of a request for a channel.
#[derive(Clone, Copy, Debug)]
pub struct ChannelFacts<'a> {
    /// Where it comes from.
    pub source_ip: std::net::IpAddr,
    /// What the agent says it is.
    pub user_agent: Option<&'a str>,
}

fn wanted(path: &str) -> Option<Wanted<'_>> {
    let name = |rest: &str| !rest.is_empty() && !rest.contains('/');
    if let Some(target) = path.strip_prefix(CONTROL) {
        return name(target).then_some(Wanted::Control(target));
    }
    path.strip_prefix(DATA).filter(|session| name(session)).map(Wanted::Data)
}

fn xml(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let kind = http::HeaderValue::from_static("application/xml");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}

fn denied_response(denied: &Denied) -> Response<Full<Bytes>> {
    let (status, code) = match denied {
        Denied::NotFound => (StatusCode::NOT_FOUND, "ChannelNotFoundException"),
        Denied::Wrong(_) => (StatusCode::BAD_REQUEST, "BadRequestException"),
        Denied::NotAllowed => (StatusCode::FORBIDDEN, "AccessDeniedException"),
        Denied::Busy | Denied::Failed => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailableException"),
    };
    xml(status, format!("<Error><Code>{code}</Code><Message>{denied}</Message></Error>"))
}

/// Keeps a relay for every session that is not over, and forgets those that are.
async fn follow(gateway: &Arc<Inner>) {
    loop {
        match gateway.tables.list_and_watch::<Session>("").await {
            Ok((sessions, mut watch)) => {
                for session in sessions {
                    gateway.look_at(session).await;
                }
                loop {
                    match watch.next().await {
                        Ok(changes) => {
                            for change in changes {
                                if let TableChange::Put(session) = change {
                                    gateway.look_at(session).await;
                                }
                            }
                        }
                        Err(error) => {
                            tracing::warn!(%error, "the watch over sessions ended, watching anew");
                            break;
                        }
                    }
                }
            }
            Err(error) => tracing::error!(%error, "cannot watch sessions"),
        }
        gateway.environment.sleep(PAUSE).await;
    }
}

impl Inner {
    async fn look_at(self: &Arc<Self>, session: Versioned<Session>) {
        match session.status {
            SessionStatus::Active => self.relay_for(&session),
            SessionStatus::Terminating => {
                self.relay_for(&session);
                let relay = self.relays.lock().get(&session.id).cloned();
                if let Some(relay) = relay {
                    // A relay that takes no more is ending by itself.
                    let _ = relay.send(Note::Over(String::new())).await;
                }
            }
            SessionStatus::Ended => {}
        }
    }

    /// Starts the relay of a session, unless there is one.
    fn relay_for(self: &Arc<Self>, session: &Session) {
        let mut relays = self.relays.lock();
        if relays.contains_key(&session.id) {
            return;
        }
        let (notes, receiver) = mpsc::channel(relay::QUEUE);
        relays.insert(session.id.clone(), notes);
        let (gateway, session) = (self.clone(), session.clone());
        let mut stopped = self.stop.subscribe();
        tokio::spawn(async move {
            let id = session.id.clone();
            tokio::select! {
                () = relay::run(&gateway, session, receiver) => {}
                _ = stopped.wait_for(|stopped| *stopped) => {}
            }
            gateway.relays.lock().remove(&id);
        });
    }

    /// The relay of a session that is not over. Its client may come before the watch has told of the session; and a session whose
    /// relay is gone is written down as over.
    async fn relay_of(self: &Arc<Self>, id: &str) -> Option<mpsc::Sender<Note>> {
        let found = self.relays.lock().get(id).cloned();
        if found.is_some() {
            return found;
        }
        let session = self.tables.get::<Session>(id).await.ok().flatten()?;
        if session.status == SessionStatus::Active {
            self.relay_for(&session);
        }
        self.relays.lock().get(id).cloned()
    }

    /// Sends a frame over a control channel; false when there is none.
    fn tell(&self, target: &str, frame: Bytes) -> bool {
        let controls = self.controls.lock();
        controls.get(target).is_some_and(|control| control.frames.try_send(frame).is_ok())
    }

    /// Notes that a session is over.
    async fn note_end(&self, id: &str, reason: &str) -> Result<(), StoreError> {
        let now = self.environment.now();
        let change = |old: &Session| {
            let new = Session {
                status: SessionStatus::Ended,
                ended_at: Some(now),
                reason: reason.to_owned(),
                ..old.clone()
            };
            Ok::<_, StoreError>((old.status != SessionStatus::Ended).then_some(new))
        };
        self.tables.update(id, change).await?;
        self.forget_old().await
    }

    /// Removes the rows of sessions that were over long ago.
    async fn forget_old(&self) -> Result<(), StoreError> {
        let now = self.environment.now();
        for session in self.tables.list_all::<Session>("").await? {
            if session.ended_at.is_some_and(|at| now.since(at) > KEEP) {
                self.tables.delete(&session).await?;
            }
        }
        Ok(())
    }

    fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    fn new_token(&self, purpose: Use) -> String {
        let token = self.environment.random_hex(128);
        self.tokens.keep(&token, purpose, self.environment.now());
        token
    }
}
