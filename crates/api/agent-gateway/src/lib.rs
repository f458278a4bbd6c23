//! Serves the published ECS agent protocol to container agents: commands (ACS) and telemetry (TCS).
//!
//! An [`AgentGateway`] knows no container: it watches the tasks in the store, sends each agent those that are placed
//! on its container instance, again until they are acknowledged, with the credentials of their roles, which it renews
//! in time, and writes down what agents tell of health. What
//! agents report of states comes to the ECS API instead. It works with any agent of the protocol.
//!
//! A [`SessionGateway`] serves the channels of Session Manager, by which commands run in containers.
//!
//! Sessions and their queues are bounded. A container instance has one session for commands: a new one takes the place
//! of the old. Requests arrive with their signature verified; a caller needs `ecs:Poll` or `ecs:StartTelemetrySession` on the
//! container instance, and those of Fargate hosts belong to these hosts alone.

mod acs;
mod convert;
mod feed;
mod instance;
mod permit;
mod recorded;
mod roles;
mod sessions;
mod tcs;
mod upgrade;

pub use roles::SESSION_TIME;
pub use sessions::{ChannelFacts, MOST_REQUEST_BYTES, SessionGateway};

use access::{Access, Caller};
use audit_log::AuditLog;
use bytes::Bytes;
use environment::Environment;
use feed::Feed;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use identifiers::Region;
use instance::Instance;
use parking_lot::Mutex;
use resources::ecr::RegistryHosts;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use store::Tables;
use tokio::sync::{Semaphore, watch};
use upgrade::Refused;

/// Path below which agents open their session for commands; they add `/ws`.
pub const ACS_PATH: &str = "/_agent/acs";
/// Path below which agents open their session for telemetry; they add `/ws`.
pub const TCS_PATH: &str = "/_agent/tcs";
/// Most sessions at a time.
const MOST_SESSIONS: u32 = 20_000;
/// How long sessions may take to end at shutdown.
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// The gateway; cheap to clone.
#[derive(Clone)]
pub struct AgentGateway(Arc<Inner>);

struct Inner {
    tables: Tables,
    access: Access,
    environment: Environment,
    region: Region,
    registry: RegistryHosts,
    audit: Option<AuditLog>,
    /// Life of the sessions of roles that agents get.
    session_time: Duration,
    feed: Feed,
    places: Arc<Semaphore>,
    stop: watch::Sender<bool>,
    /// How many sessions for commands each instance has: more than one only while a new one replaces the old.
    current: Mutex<HashMap<String, usize>>,
}

/// What a gateway is told.
pub struct GatewayConfig {
    /// The region, as ARNs name it.
    pub region: Region,
    /// The names of the region's own registry: only for images from there do agents use ECR's credentials.
    pub registry: RegistryHosts,
    /// Life of the sessions of roles that agents get, as a rule [`SESSION_TIME`].
    pub session_time: Duration,
    /// Where sessions and assumed roles are recorded; `None` where nobody wants to know.
    pub audit: Option<AuditLog>,
}

impl AgentGateway {
    /// A gateway over a region's tables.
    pub fn new(tables: Tables, access: Access, config: GatewayConfig) -> Self {
        let GatewayConfig { region, registry, session_time, audit } = config;
        let stop = watch::Sender::new(false);
        Self(Arc::new(Inner {
            environment: tables.environment().clone(),
            feed: Feed::start(tables.clone(), stop.subscribe()),
            registry,
            audit,
            tables,
            access,
            region,
            session_time,
            places: Arc::new(Semaphore::new(MOST_SESSIONS as usize)),
            stop,
            current: Mutex::default(),
        }))
    }

    /// Whether a path is one of the gateway's.
    pub fn serves(path: &str) -> bool {
        matches!(path.strip_suffix("/ws"), Some(ACS_PATH | TCS_PATH))
    }

    /// The service and the operation that a session for a path stands for.
    pub fn operation(path: &str) -> Option<(&'static str, &'static str)> {
        Self::serves(path).then(|| ("ecs", operation(is_telemetry(path))))
    }

    /// Answers an agent that wants a session: an upgrade to a websocket, or a refusal it understands. The session runs
    /// on its own until either side ends it.
    pub async fn serve(&self, request: Request<Incoming>, caller: Caller) -> Response<Full<Bytes>> {
        match self.accept(request, &caller).await {
            Ok(response) => response,
            Err(refused) => {
                tracing::info!(kind = refused.kind, message = refused.message, "an agent is refused");
                refused.response()
            }
        }
    }

    async fn accept(
        &self,
        mut request: Request<Incoming>,
        caller: &Caller,
    ) -> Result<Response<Full<Bytes>>, Refused> {
        let telemetry = is_telemetry(request.uri().path());
        let name = if telemetry { "containerInstance" } else { "containerInstanceArn" };
        let arn = upgrade::parameter(request.uri(), name).unwrap_or_default();
        let found = async {
            permit::permit(&self.0, caller, &request, telemetry, &arn).await?;
            let instance = Instance::find(&self.0.tables, &self.0.region, caller, &arn).await?;
            let place = self.0.places.clone().try_acquire_owned().map_err(|_| Refused::busy())?;
            Ok((instance, place))
        };
        let found = found.await;
        let what = (operation(telemetry), arn.as_str());
        recorded::session(&self.0, caller, &request, what, found.as_ref().err()).await;
        let (instance, place) = found?;
        let (response, upgrading) = upgrade::begin(&mut request)?;
        if !telemetry {
            *self.0.current.lock().entry(instance.key.clone()).or_default() += 1;
        }
        let gateway = self.0.clone();
        let mut stopped = self.0.stop.subscribe();
        tokio::spawn(async move {
            let key = instance.key.clone();
            let ended = async {
                let mut socket = upgrade::finish(upgrading, gateway.environment.clone()).await?;
                let ended = if telemetry {
                    tcs::session(&gateway, &instance, &mut socket).await
                } else {
                    acs::session(&gateway, &instance, &mut socket).await
                };
                socket.close().await;
                ended
            };
            let outcome = tokio::select! {
                ended = ended => ended,
                _ = stopped.wait_for(|stopped| *stopped) => Ok(()),
            };
            if let Err(error) = outcome {
                tracing::info!(instance = key, telemetry, %error, "the session of an agent ended");
            }
            if !telemetry {
                acs::departed(&gateway, &key).await;
            }
            drop(place);
        });
        Ok(response)
    }

    /// Ends all sessions and waits for them, within a bound.
    pub async fn stop(&self) {
        self.0.stop.send_replace(true);
        let all_gone = self.0.places.acquire_many(MOST_SESSIONS);
        tokio::select! {
            _ = all_gone => {}
            () = self.0.environment.sleep(DRAIN_TIME) => tracing::warn!("sessions of agents did not end in time"),
        }
    }
}

fn is_telemetry(path: &str) -> bool {
    path.starts_with(TCS_PATH)
}

fn operation(telemetry: bool) -> &'static str {
    if telemetry { "StartTelemetrySession" } else { "Poll" }
}
