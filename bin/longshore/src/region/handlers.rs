//! The registry and the agents' gateway as the listener sees them.

use access::Caller;
use agent_gateway::AgentGateway;
use api_server::{HttpHandler, Response, full};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use oci_registry::Registry;

/// `/v2/...`
pub(super) struct RegistryHandler(pub(super) Registry);

/// The agents' websockets.
pub(super) struct AgentHandler(pub(super) AgentGateway);

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
