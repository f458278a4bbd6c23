//! May a caller speak for a container instance?

use crate::Inner;
use crate::upgrade::Refused;
use access::{Asked, Caller, NotAllowed, RequestFacts};
use http::Request;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Allows a session of a container instance, or says no in the words of the protocol.
pub(crate) async fn permit<B>(
    gateway: &Inner,
    caller: &Caller,
    request: &Request<B>,
    telemetry: bool,
    instance: &str,
) -> Result<(), Refused> {
    let action = if telemetry { "ecs:StartTelemetrySession" } else { "ecs:Poll" };
    let agent = request.headers().get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let peer = request.extensions().get::<SocketAddr>();
    let facts = RequestFacts {
        time: gateway.environment.now(),
        source_ip: peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), SocketAddr::ip),
        region: gateway.region.as_str(),
        user_agent: agent,
        secure_transport: false,
    };
    let resource = if instance.is_empty() { "*" } else { instance };
    gateway.access.authorize(caller, &[Asked::new(action, resource)], &facts).await.map_err(|error| {
        match error {
            NotAllowed::Denied(denied) => {
                tracing::info!(message = denied.message, "an agent is denied");
                Refused::new("AccessDeniedException", "You are not authorized to perform this action.")
            }
            NotAllowed::Failed(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot decide whether an agent may connect"
                );
                Refused::busy()
            }
        }
    })
}
