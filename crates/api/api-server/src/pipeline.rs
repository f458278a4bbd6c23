//! What happens to every request.

use crate::authenticate::{Authenticator, NotAuthenticated};
use crate::respond::{Body, Response, encoded, full};
use crate::route::route;
use access::Caller;
use aws_wire::{
    ErrorShape, Fault, Protocol, RequestContext, Service, ServiceDefinition, ServiceError, Violation,
    validate,
};
use bytes::Bytes;
use environment::Environment;
use futures::FutureExt;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use identifiers::Region;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// Largest body of an AWS call; PutLogEvents needs 1 MiB and its JSON escapes.
const MOST_BODY_BYTES: usize = 10 * 1024 * 1024;
/// How long a client may take to send such a body.
const BODY_TIME: Duration = Duration::from_secs(60);

static SERIALIZATION: ErrorShape = shape("SerializationException", "MalformedInput", 400, Fault::Sender);
static TOO_LARGE: ErrorShape =
    shape("RequestEntityTooLargeException", "RequestEntityTooLarge", 413, Fault::Sender);
static TIMED_OUT: ErrorShape = shape("RequestTimeoutException", "RequestTimeout", 408, Fault::Sender);
static INTERNAL: ErrorShape = shape("InternalFailure", "InternalFailure", 500, Fault::Receiver);

const fn shape(name: &'static str, query: &'static str, status: u16, fault: Fault) -> ErrorShape {
    ErrorShape { name, query_code: Some(query), status, fault, message_key: "message" }
}

/// Serves a protocol that is not an AWS API, such as the registry's or the agents' websockets.
#[async_trait::async_trait]
pub trait HttpHandler: Send + Sync {
    /// Whether this handler serves a path.
    fn serves(&self, path: &str) -> bool;

    /// The SigV4 service name callers must sign for; `None` when the handler authenticates by itself.
    fn signing_name(&self) -> Option<&'static str>;

    /// Answers a request. `caller` is set when [`HttpHandler::signing_name`] is.
    async fn handle(&self, request: http::Request<Incoming>, caller: Option<Caller>) -> Response;
}

/// What the server serves.
pub struct Config {
    /// The region's name.
    pub region: Region,
    /// Clock and randomness.
    pub environment: Environment,
    /// Who may call.
    pub authenticator: Authenticator,
    /// AWS services.
    pub services: Vec<Arc<dyn Service>>,
    /// Other protocols, asked in order before the services.
    pub handlers: Vec<Arc<dyn HttpHandler>>,
}

/// The request pipeline; cheap to clone.
#[derive(Clone)]
pub struct ApiServer(Arc<Config>);

impl ApiServer {
    /// A server of what `config` names.
    pub fn new(config: Config) -> Self {
        Self(Arc::new(config))
    }

    /// Answers a request. Never fails; a panic of an operation is answered as an internal failure.
    pub async fn handle(&self, request: http::Request<Incoming>, peer: SocketAddr) -> Response {
        let request_id = self.0.environment.uuid();
        let answered = AssertUnwindSafe(self.route(request, peer, &request_id)).catch_unwind().await;
        let mut response = answered.unwrap_or_else(|_| {
            tracing::error!(request_id, "an operation panicked");
            internal(Protocol::Json, None, &request_id)
        });
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            response.headers_mut().entry("x-amzn-requestid").or_insert(id);
        }
        response
    }

    async fn route(&self, request: http::Request<Incoming>, peer: SocketAddr, request_id: &str) -> Response {
        let path = request.uri().path();
        if let Some(handler) = self.0.handlers.iter().find(|handler| handler.serves(path)) {
            return self.other_protocol(&**handler, request, request_id).await;
        }
        if path == "/_longshore/health" && request.method() == Method::GET {
            return health(&self.0.region);
        }
        let (parts, body) = request.into_parts();
        match read_body(body).await {
            Ok(body) => self.call(parts, body, peer.ip(), request_id).await,
            Err(error) => encoded(Protocol::Json.write_error(None, &error, request_id), request_id),
        }
    }

    async fn other_protocol(
        &self,
        handler: &dyn HttpHandler,
        request: http::Request<Incoming>,
        request_id: &str,
    ) -> Response {
        let Some(service) = handler.signing_name() else { return handler.handle(request, None).await };
        let (parts, body) = request.into_parts();
        match self.0.authenticator.caller(&parts, b"", service).await {
            Ok(caller) => handler.handle(http::Request::from_parts(parts, body), Some(caller)).await,
            Err(error) => refused(error, Protocol::Json, None, request_id),
        }
    }

    async fn call(&self, parts: Parts, body: Bytes, source_ip: IpAddr, request_id: &str) -> Response {
        let route = match route(&self.0.services, &parts, &body) {
            Ok(route) => route,
            Err(no) => {
                return encoded(no.protocol.write_error(no.service, &no.error, request_id), request_id);
            }
        };
        let (definition, protocol) = (route.service.definition(), route.protocol);
        let signed_body = if route.in_query { &b""[..] } else { &body };
        let caller = match self.0.authenticator.caller(&parts, signed_body, definition.signing_name).await {
            Ok(caller) => caller,
            Err(error) => return refused(error, protocol, Some(definition), request_id),
        };
        let fail = |error: &ServiceError| {
            encoded(protocol.write_error(Some(definition), error, request_id), request_id)
        };
        let form = if route.in_query { parts.uri.query().unwrap_or_default().as_bytes() } else { &body };
        let input = match protocol.read(route.operation, form) {
            Ok(input) => input,
            Err(error) => return fail(&ServiceError::new(&SERIALIZATION, error.to_string())),
        };
        match validate(route.operation.input, &input) {
            Ok(()) => {}
            Err(Violation::Constraints(text)) => {
                return fail(&ServiceError::new(route.service.validation_error(), text));
            }
            Err(error) => return fail(&ServiceError::new(&SERIALIZATION, error.to_string())),
        }
        let context = self.context(&parts, &caller, source_ip, request_id);
        let answered = route.service.call(route.operation, &context, input).await;
        tracing::debug!(
            request_id,
            service = definition.name,
            operation = route.operation.name,
            account = %context.account,
            error = answered.as_ref().err().map(|error| error.shape.name),
            "answered"
        );
        match answered {
            Ok(answer) => {
                encoded(protocol.write(definition, route.operation, &*answer, request_id), request_id)
            }
            Err(error) => {
                if error.shape.fault == Fault::Receiver {
                    tracing::error!(request_id, operation = route.operation.name, %error, "an operation failed");
                }
                fail(&error)
            }
        }
    }

    fn context(&self, parts: &Parts, caller: &Caller, source_ip: IpAddr, request_id: &str) -> RequestContext {
        let host = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
        RequestContext {
            account: caller.account.clone(),
            region: self.0.region.clone(),
            principal_arn: caller.principal_arn.clone(),
            principal_id: caller.principal_id.clone(),
            request_id: request_id.into(),
            source_ip,
            host: host.unwrap_or_default().into(),
            time: self.0.environment.now(),
        }
    }
}

async fn read_body(body: Incoming) -> Result<Bytes, ServiceError> {
    let read = tokio::time::timeout(BODY_TIME, Limited::new(body, MOST_BODY_BYTES).collect()).await;
    match read {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ServiceError::new(
            &TOO_LARGE,
            format!("The request body is larger than {MOST_BODY_BYTES} bytes."),
        )),
        Ok(Err(error)) => Err(ServiceError::new(&SERIALIZATION, format!("The body did not arrive: {error}"))),
        Err(_) => Err(ServiceError::new(&TIMED_OUT, "The body did not arrive in time.")),
    }
}

fn refused(
    error: NotAuthenticated,
    protocol: Protocol,
    service: Option<&'static ServiceDefinition>,
    request_id: &str,
) -> Response {
    match error {
        NotAuthenticated::Refused(error) => {
            encoded(protocol.write_error(service, &error.to_service_error(), request_id), request_id)
        }
        NotAuthenticated::Store(source) => {
            tracing::error!(request_id, error = %source, "cannot look up an access key");
            internal(protocol, service, request_id)
        }
    }
}

fn internal(protocol: Protocol, service: Option<&'static ServiceDefinition>, request_id: &str) -> Response {
    let error =
        ServiceError::new(&INTERNAL, "The request processing has failed because of an internal error.");
    encoded(protocol.write_error(service, &error, request_id), request_id)
}

fn health(region: &Region) -> Response {
    let mut response: http::Response<Body> =
        http::Response::new(full(format!("{{\"status\":\"ok\",\"region\":\"{region}\"}}\n")));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
