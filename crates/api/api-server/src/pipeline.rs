//! What happens to every request.

use crate::audit::{Asked, Audit, RecordedCall, Recorder};
use crate::authenticate::{Authenticator, NotAuthenticated};
use crate::authorize::authorize;
use crate::errors::{INTERNAL, MALFORMED};
use crate::respond::{Response, encoded, health};
use crate::route::{Route, protocol_of, route};
use crate::{Limits, body};
use access::{Access, Caller};
use aws_wire::{
    Fault, Protocol, RequestContext, Service, ServiceDefinition, ServiceError, Violation, validate,
};
use bytes::Bytes;
use environment::Environment;
use futures::FutureExt;
use http::request::Parts;
use http::{HeaderValue, Method};
use hyper::body::Incoming;
use identifiers::Region;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tracing::{Instrument, Span, field};

/// Path of the one request that needs no signature.
const HEALTH_PATH: &str = "/_longshore/health";

/// Serves a protocol that is not an AWS API, such as the registry's or the agents' websockets.
#[async_trait::async_trait]
pub trait HttpHandler: Send + Sync {
    /// Whether this handler serves a path.
    fn serves(&self, path: &str) -> bool;

    /// The SigV4 service name callers must sign for; `None` when the handler authenticates by itself.
    fn signing_name(&self) -> Option<&'static str>;

    /// The service and the operation that a request for a path stands for: it is recorded so when its signature is
    /// refused. What is let in the handler records by itself.
    fn operation(&self, _path: &str) -> Option<(&'static str, &'static str)> {
        None
    }

    /// Answers a request, whose extensions hold the address of the client. `caller` is set when
    /// [`HttpHandler::signing_name`] is.
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
    /// Records calls; `None` where nobody wants to know.
    pub audit: Option<Audit>,
    /// AWS services.
    pub services: Vec<Arc<dyn Service>>,
    /// Other protocols, asked in order before the services.
    pub handlers: Vec<Arc<dyn HttpHandler>>,
}

/// The request pipeline; cheap to clone.
#[derive(Clone)]
pub struct ApiServer(Arc<Inner>);

struct Inner {
    config: Config,
    limits: Limits,
}

/// How a request is answered when it fails.
struct Answering<'a> {
    protocol: Protocol,
    service: Option<&'static ServiceDefinition>,
    request_id: &'a str,
}

impl ApiServer {
    /// A server of what `config` names.
    pub fn new(config: Config) -> Self {
        Self::with_limits(config, Limits::default())
    }

    /// A server with other bounds than the usual.
    pub fn with_limits(config: Config, limits: Limits) -> Self {
        Self(Arc::new(Inner { config, limits }))
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Answers a request. Never fails; a panic of an operation is answered as an internal failure.
    pub async fn handle(&self, request: http::Request<Incoming>, peer: SocketAddr) -> Response {
        let request_id = self.0.config.environment.uuid();
        let span = tracing::info_span!(
            "request",
            request_id,
            operation = field::Empty,
            account = field::Empty,
            error = field::Empty
        );
        let work = AssertUnwindSafe(self.route(request, peer, &request_id)).catch_unwind();
        let mut response = work.instrument(span.clone()).await.unwrap_or_else(|_| {
            let _entered = span.enter();
            tracing::error!("a handler panicked");
            Answering { protocol: Protocol::Json, service: None, request_id: &request_id }.internal()
        });
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            response.headers_mut().entry("x-amzn-requestid").or_insert(id);
        }
        response
    }

    async fn route(
        &self,
        mut request: http::Request<Incoming>,
        peer: SocketAddr,
        request_id: &str,
    ) -> Response {
        request.extensions_mut().insert(peer);
        let path = request.uri().path();
        if let Some(handler) = self.0.config.handlers.iter().find(|handler| handler.serves(path)) {
            return self.other_protocol(&**handler, request, peer.ip(), request_id).await;
        }
        if path == HEALTH_PATH && request.method() == Method::GET {
            return health(&self.0.config.region);
        }
        let (parts, body) = request.into_parts();
        let answering = Answering { protocol: protocol_of(&parts), service: None, request_id };
        if !body::is_small(&body, &self.0.limits)
            && let Err(error) = self.0.config.authenticator.known(&parts).await
        {
            let mut call = self.unread(&parts, peer.ip(), request_id).await;
            return answering.refused(error, call.as_mut());
        }
        match body::read(&parts.headers, body, &self.0.limits).await {
            Ok(body) => self.aws_call(parts, body, peer.ip(), request_id).await,
            Err(error) => {
                let mut call = self.unread(&parts, peer.ip(), request_id).await;
                answering.failed(&error, call.as_mut())
            }
        }
    }

    /// The call of a request whose body is not read, where its head alone tells the operation.
    async fn unread<'a>(
        &'a self,
        parts: &'a Parts,
        source_ip: IpAddr,
        request_id: &'a str,
    ) -> Option<RecordedCall<'a>> {
        let asked = Asked::of(&route(&self.0.config.services, parts, b"").ok()?);
        Some(self.recorded(asked, parts, source_ip, request_id).await)
    }

    async fn other_protocol(
        &self,
        handler: &dyn HttpHandler,
        request: http::Request<Incoming>,
        source_ip: IpAddr,
        request_id: &str,
    ) -> Response {
        let Some(service) = handler.signing_name() else { return handler.handle(request, None).await };
        let (parts, body) = request.into_parts();
        match self.0.config.authenticator.caller(&parts, b"", service).await {
            Ok(caller) => handler.handle(http::Request::from_parts(parts, body), Some(caller)).await,
            Err(error) => {
                let answering = Answering { protocol: Protocol::Json, service: None, request_id };
                let Some(operation) = handler.operation(parts.uri.path()) else {
                    return answering.refused(error, None);
                };
                let asked = Asked::other(operation);
                let mut call = self.recorded(asked, &parts, source_ip, request_id).await;
                answering.refused(error, Some(&mut call))
            }
        }
    }

    async fn aws_call(&self, parts: Parts, body: Bytes, source_ip: IpAddr, request_id: &str) -> Response {
        let route = match route(&self.0.config.services, &parts, &body) {
            Ok(route) => route,
            Err(no) => {
                return Answering { protocol: no.protocol, service: no.service, request_id }.error(&no.error);
            }
        };
        let definition = route.service.definition();
        let answering = Answering { protocol: route.protocol, service: Some(definition), request_id };
        let span = Span::current();
        span.record("operation", route.operation.name);
        let mut call = self.recorded(Asked::of(&route), &parts, source_ip, request_id).await;
        let authenticator = &self.0.config.authenticator;
        let caller = if route.operation.signed {
            match authenticator.caller(&parts, &body, definition.signing_name).await {
                Ok(caller) => caller,
                Err(error) => return answering.refused(error, Some(&mut call)),
            }
        } else {
            Caller::anonymous()
        };
        call.by(&caller);
        span.record("account", caller.account.as_str());
        let context = self.context(&parts, &caller, source_ip, request_id);
        let access = authenticator.access();
        let inflated = match body::inflated(&parts.headers, &body, &self.0.limits) {
            Ok(inflated) => inflated,
            Err(error) => return answering.failed(&error, Some(&mut call)),
        };
        let work = AssertUnwindSafe(run(&route, &parts, &inflated, access, (&caller, &context), &mut call))
            .catch_unwind();
        match work.await {
            Ok(Ok(answer)) => {
                call.answered(&*answer);
                let written = route.protocol.write(definition, route.operation, &*answer, request_id);
                encoded(written, request_id)
            }
            Ok(Err(error)) => answering.failed(&error, Some(&mut call)),
            Err(_) => {
                tracing::error!("an operation panicked");
                answering.failed(&internal(), Some(&mut call))
            }
        }
    }

    /// A call that will be recorded; waits while the log is behind the disk.
    async fn recorded<'a>(
        &'a self,
        asked: Asked,
        parts: &'a Parts,
        source_ip: IpAddr,
        request_id: &'a str,
    ) -> RecordedCall<'a> {
        let Config { audit, region, environment, .. } = &self.0.config;
        if let Some(audit) = audit {
            audit.room().await;
        }
        let recorder = Recorder { audit: audit.as_ref(), region, environment };
        RecordedCall::new(recorder, asked, parts, source_ip, request_id)
    }

    fn context(&self, parts: &Parts, caller: &Caller, source_ip: IpAddr, request_id: &str) -> RequestContext {
        let host = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
        let mut extensions = aws_wire::Extensions::new();
        extensions.insert(caller.clone());
        RequestContext {
            account: caller.account.clone(),
            region: self.0.config.authenticator.region(parts),
            principal_arn: caller.principal_arn.clone(),
            principal_id: caller.principal_id.clone(),
            request_id: request_id.into(),
            source_ip,
            host: host.unwrap_or_default().into(),
            time: self.0.config.environment.now(),
            extensions,
        }
    }
}

/// Decodes, validates, authorizes and runs.
async fn run(
    route: &Route<'_>,
    parts: &Parts,
    body: &[u8],
    access: &Access,
    (caller, context): (&Caller, &RequestContext),
    call: &mut RecordedCall<'_>,
) -> Result<aws_wire::Answer, ServiceError> {
    let form = if route.in_query { parts.uri.query().unwrap_or_default().as_bytes() } else { body };
    let mut input = route
        .protocol
        .read(route.operation, form)
        .map_err(|error| ServiceError::new(&MALFORMED, error.to_string()))?;
    if route.protocol == Protocol::RestJson {
        let place = (parts.uri.path(), parts.uri.query().unwrap_or_default());
        input = aws_wire::rest_json::bind(route.operation, place, &parts.headers, input);
    }
    call.asked(&input);
    validate(route.operation.input, &input).map_err(|violation| match violation {
        Violation::Constraints(broken) => {
            ServiceError::new(route.service.validation_error(), route.service.validation_text(&broken))
        }
        error @ Violation::Type { .. } => ServiceError::new(&MALFORMED, error.to_string()),
    })?;
    authorize(access, route.service, route.operation, (caller, context), (parts, &input)).await?;
    route.service.call(route.operation, context, input).await
}

impl Answering<'_> {
    fn error(&self, error: &ServiceError) -> Response {
        Span::current().record("error", error.shape.name);
        if error.shape.fault == Fault::Receiver {
            tracing::error!(%error, "an operation failed");
        } else {
            tracing::debug!(%error, "refused");
        }
        encoded(self.protocol.write_error(self.service, error, self.request_id), self.request_id)
    }

    /// Answers an error and tells the record of it.
    fn failed(&self, error: &ServiceError, call: Option<&mut RecordedCall<'_>>) -> Response {
        if let Some(call) = call {
            call.failed(error);
        }
        self.error(error)
    }

    fn refused(&self, error: NotAuthenticated, call: Option<&mut RecordedCall<'_>>) -> Response {
        match error {
            NotAuthenticated::Refused(error) => self.failed(&error.to_service_error(), call),
            NotAuthenticated::Store(source) => {
                tracing::error!(error = %source, "cannot look up an access key");
                self.failed(&internal(), call)
            }
        }
    }

    fn internal(&self) -> Response {
        self.error(&internal())
    }
}

fn internal() -> ServiceError {
    ServiceError::new(&INTERNAL, "The request processing has failed because of an internal error.")
}
