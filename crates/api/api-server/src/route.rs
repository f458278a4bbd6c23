//! Which service, operation and protocol a request is for.

use aws_wire::{ErrorShape, Fault, Operation, Protocol, Service, ServiceDefinition, ServiceError};
use http::request::Parts;
use std::sync::Arc;

static UNKNOWN_OPERATION: ErrorShape = ErrorShape {
    name: "UnknownOperationException",
    query_code: Some("InvalidAction"),
    status: 400,
    fault: Fault::Sender,
    message_key: "message",
};

/// What a request asks for.
pub(crate) struct Route {
    pub(crate) service: Arc<dyn Service>,
    pub(crate) operation: &'static Operation,
    pub(crate) protocol: Protocol,
    /// The parameters are in the query string and not in the body.
    pub(crate) in_query: bool,
}

/// Why a request goes nowhere.
pub(crate) struct NoRoute {
    pub(crate) protocol: Protocol,
    pub(crate) service: Option<&'static ServiceDefinition>,
    pub(crate) error: ServiceError,
}

/// Finds the operation of a request: by `X-Amz-Target`, or by `Action` in the body or the query string.
pub(crate) fn route(services: &[Arc<dyn Service>], parts: &Parts, body: &[u8]) -> Result<Route, NoRoute> {
    if let Some(target) = parts.headers.get("x-amz-target") {
        return by_target(services, target.to_str().unwrap_or_default());
    }
    let in_query = parts.method == http::Method::GET;
    let form = if in_query { parts.uri.query().unwrap_or_default().as_bytes() } else { body };
    let field = |name: &str| form_field(form, name);
    let Some(action) = field("Action") else {
        return Err(nowhere(Protocol::Json, None, "the request names no operation"));
    };
    let version = field("Version").unwrap_or_default();
    let speaks_query = |service: &&Arc<dyn Service>| {
        let definition = service.definition();
        definition.protocols.contains(&"query") && definition.api_version == version
    };
    let Some(service) = services.iter().find(speaks_query) else {
        let text = format!("Could not find operation {} for version {}", shorten(&action), shorten(&version));
        return Err(nowhere(Protocol::Query, None, text));
    };
    find(service, &action, Protocol::Query, in_query)
}

fn by_target(services: &[Arc<dyn Service>], target: &str) -> Result<Route, NoRoute> {
    let (prefix, name) = target.rsplit_once('.').unwrap_or((target, ""));
    match services.iter().find(|service| service.definition().target_prefix == prefix) {
        Some(service) => find(service, name, Protocol::Json, false),
        None => {
            Err(nowhere(Protocol::Json, None, format!("{} is not a service of this region", shorten(target))))
        }
    }
}

fn find(
    service: &Arc<dyn Service>,
    name: &str,
    protocol: Protocol,
    in_query: bool,
) -> Result<Route, NoRoute> {
    let definition = service.definition();
    if let Some(operation) = definition.operation(name) {
        return Ok(Route { service: service.clone(), operation, protocol, in_query });
    }
    let text = if definition.unbuilt.contains(&name) {
        format!("{name} is an operation of {} that this region does not implement.", definition.name)
    } else {
        format!("{} is not an operation of {}.", shorten(name), definition.name)
    };
    Err(nowhere(protocol, Some(definition), text))
}

fn nowhere(
    protocol: Protocol,
    service: Option<&'static ServiceDefinition>,
    text: impl Into<std::borrow::Cow<'static, str>>,
) -> NoRoute {
    NoRoute { protocol, service, error: ServiceError::new(&UNKNOWN_OPERATION, text) }
}

/// A plain field of a form; names and versions of the API have no encoded characters.
fn form_field(form: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(form).ok()?;
    let pair = text.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
    pair.map(|(_, value)| value.to_owned())
}

fn shorten(text: &str) -> String {
    text.chars().take(100).collect()
}
