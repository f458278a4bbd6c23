//! The registry and the agents' gateways as the listener sees them.

use access::Caller;
use agent_gateway::{AgentGateway, ChannelFacts, MOST_REQUEST_BYTES, SessionGateway};
use api_server::{Authenticator, HttpHandler, Response, full};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use oci_registry::Registry;

/// `/v2/...`
pub(super) struct RegistryHandler(pub(super) Registry);

/// The agents' websockets.
pub(super) struct AgentHandler(pub(super) AgentGateway);

/// The channels of sessions. Tokens open them; for a token a request is signed.
pub(super) struct SessionHandler {
    pub(super) gateway: SessionGateway,
    pub(super) authenticator: Authenticator,
}

#[async_trait::async_trait]
impl HttpHandler for RegistryHandler {
    fn serves(&self, path: &str) -> bool {
        path == "/v2" || path.starts_with("/v2/")
    }

    fn signing_name(&self) -> Option<&'static str> {
        // It has passwords of its own, from GetAuthorizationToken.
        None
    }

    async fn handle(&self, request: http::Request<Incoming>, _caller: Option<Caller>) -> Response {
        self.0.handle(request).await
    }
}

#[async_trait::async_trait]
impl HttpHandler for AgentHandler {
    fn serves(&self, path: &str) -> bool {
        AgentGateway::serves(path)
    }

    fn signing_name(&self) -> Option<&'static str> {
        Some("ecs")
    }

    fn operation(&self, path: &str) -> Option<(&'static str, &'static str)> {
        AgentGateway::operation(path)
    }

    async fn handle(&self, request: http::Request<Incoming>, caller: Option<Caller>) -> Response {
        let Some(caller) = caller else {
            let mut refused = http::Response::new(full("sign the request"));
            *refused.status_mut() = http::StatusCode::FORBIDDEN;
            return refused;
        };
        self.0.serve(request, caller).await.map(|body| body.map_err(|never| match never {}).boxed_unsync())
    }
}

#[async_trait::async_trait]
impl HttpHandler for SessionHandler {
    fn serves(&self, path: &str) -> bool {
        SessionGateway::serves(path)
    }

    fn signing_name(&self) -> Option<&'static str> {
        // Requests for tokens have a body, which is signed, too.
        None
    }

    async fn handle(&self, request: http::Request<Incoming>, _caller: Option<Caller>) -> Response {
        if request.method() != http::Method::POST {
            return boxed(self.gateway.open_channel(request));
        }
        let refused = |status: http::StatusCode, text: &'static str| {
            let mut response = http::Response::new(full(text));
            *response.status_mut() = status;
            response
        };
        let (parts, body) = request.into_parts();
        let Ok(body) = Limited::new(body, MOST_REQUEST_BYTES).collect().await else {
            return refused(http::StatusCode::PAYLOAD_TOO_LARGE, "the request is too large");
        };
        let caller = self.authenticator.signed_by(&parts, &body.to_bytes(), "ssmmessages").await;
        let Some(caller) = caller else {
            return refused(http::StatusCode::FORBIDDEN, "sign the request");
        };
        let agent = parts.headers.get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        let peer = parts.extensions.get::<std::net::SocketAddr>();
        let facts = ChannelFacts {
            source_ip: peer.map_or(std::net::Ipv4Addr::UNSPECIFIED.into(), std::net::SocketAddr::ip),
            user_agent: agent,
        };
        boxed(self.gateway.create_channel(parts.uri.path(), &caller, facts).await)
    }
}

fn boxed(response: http::Response<http_body_util::Full<bytes::Bytes>>) -> Response {
    response.map(|body| body.map_err(|never| match never {}).boxed_unsync())
}
