//! Which service, operation and protocol a request is for.

use crate::errors::UNKNOWN_OPERATION;
use aws_wire::{Operation, Protocol, Service, ServiceDefinition, ServiceError, cbor, rest_json};
use http::request::Parts;
use std::borrow::Cow;
use std::sync::Arc;

/// The one HTTP header that names the operation of a JSON call.
const TARGET: &str = "x-amz-target";
/// The header that newer protocols announce themselves with.
const SMITHY_PROTOCOL: &str = "smithy-protocol";

/// What a request asks for.
pub(crate) struct Route<'s> {
    pub(crate) service: &'s dyn Service,
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

/// The protocol a request seems to speak, for errors that are met before its service is known.
pub(crate) fn protocol_of(parts: &Parts) -> Protocol {
    if parts.headers.get(SMITHY_PROTOCOL).is_some_and(|protocol| protocol == cbor::NAME) {
        return Protocol::Cbor;
    }
    let content_type = parts.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_form = content_type.is_some_and(|text| text.starts_with("application/x-www-form-urlencoded"));
    let asks_by_form = is_form || parts.uri.query().is_some_and(|query| query.contains("Action="));
    if asks_by_form && !parts.headers.contains_key(TARGET) { Protocol::Query } else { Protocol::Json }
}

/// Finds the operation of a request: by its path where a header says so, by `X-Amz-Target`, by method and path, or by
/// `Action` in the body or the query string.
pub(crate) fn route<'s>(
    services: &'s [Arc<dyn Service>],
    parts: &Parts,
    body: &[u8],
) -> Result<Route<'s>, NoRoute> {
    if let Some(protocol) = parts.headers.get(SMITHY_PROTOCOL) {
        if protocol == cbor::NAME {
            return by_rpc_path(services, parts);
        }
        let name = shorten(protocol.to_str().unwrap_or_default());
        let text = format!("the protocol '{name}' is not spoken by this region");
        return Err(nowhere(Protocol::Json, None, text));
    }
    if let Some(target) = parts.headers.get(TARGET) {
        return by_target(services, target.to_str().unwrap_or_default());
    }
    if let Some(route) = by_path(services, parts) {
        return Ok(route);
    }
    let in_query = parts.method == http::Method::GET;
    let form = if in_query { parts.uri.query().unwrap_or_default().as_bytes() } else { body };
    let Some(action) = form_field(form, "Action") else {
        return Err(nowhere(protocol_of(parts), None, "The request names no operation of this region."));
    };
    let version = form_field(form, "Version").unwrap_or_default();
    let speaks_query = |service: &&Arc<dyn Service>| {
        let definition = service.definition();
        let speaks = definition.protocols.iter().any(|protocol| matches!(*protocol, "query" | "ec2"));
        speaks && definition.api_version == version
    };
    let Some(service) = services.iter().find(speaks_query) else {
        let version = if version.is_empty() { "NO_VERSION_SPECIFIED".into() } else { shorten(version) };
        let text = format!("Could not find operation {} for version {version}", shorten(action));
        return Err(nowhere(Protocol::Query, None, text));
    };
    let is_ec2 = service.definition().protocols.contains(&"ec2");
    find(&**service, action, if is_ec2 { Protocol::Ec2 } else { Protocol::Query }, in_query)
}

/// The operation in a path `/service/SERVICE/operation/OPERATION`, whatever is before that.
fn by_rpc_path<'s>(services: &'s [Arc<dyn Service>], parts: &Parts) -> Result<Route<'s>, NoRoute> {
    let path = parts.uri.path();
    let named = path.rsplit_once("/operation/").and_then(|(before, operation)| {
        let (_, service) = before.rsplit_once("/service/")?;
        Some((service, operation))
    });
    let Some((name, operation)) = named.filter(|_| parts.method == http::Method::POST) else {
        let text = format!("'{} {}' names no operation.", parts.method, shorten(path));
        return Err(nowhere(Protocol::Cbor, None, text));
    };
    let speaks_cbor = |service: &&Arc<dyn Service>| {
        let definition = service.definition();
        definition.protocols.contains(&"smithy-rpc-v2-cbor") && definition.target_prefix == name
    };
    let Some(service) = services.iter().find(speaks_cbor) else {
        let text = format!("'{}' is not a service of this region.", shorten(name));
        return Err(nowhere(Protocol::Cbor, None, text));
    };
    find(&**service, operation, Protocol::Cbor, false)
}

/// The operation of a REST service by method and path. Where a signature names a service, only that one counts: paths of
/// different services may be alike.
fn by_path<'s>(services: &'s [Arc<dyn Service>], parts: &Parts) -> Option<Route<'s>> {
    let path = parts.uri.path();
    if path == "/" {
        return None;
    }
    let signed = parts.headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let wanted = |service: &&Arc<dyn Service>| {
        let definition = service.definition();
        let scope = format!("/{}/aws4_request", definition.signing_name);
        definition.protocols.contains(&"rest-json") && signed.is_none_or(|text| text.contains(&scope))
    };
    services.iter().filter(wanted).find_map(|service| {
        let mut operations = service.definition().operations.iter();
        let operation =
            operations.find(|operation| rest_json::matches(operation, parts.method.as_str(), path))?;
        Some(Route { service: &**service, operation, protocol: Protocol::RestJson, in_query: false })
    })
}

fn by_target<'s>(services: &'s [Arc<dyn Service>], target: &str) -> Result<Route<'s>, NoRoute> {
    let (prefix, name) = target.rsplit_once('.').unwrap_or((target, ""));
    let speaks_json = |service: &&Arc<dyn Service>| {
        let definition = service.definition();
        definition.protocols.contains(&"json") && definition.target_prefix == prefix
    };
    let Some(service) = services.iter().find(speaks_json) else {
        let text = format!("'{}' is not a service of this region.", shorten(target));
        return Err(nowhere(Protocol::Json, None, text));
    };
    find(&**service, name, Protocol::Json, false)
}

fn find<'s>(
    service: &'s dyn Service,
    name: &str,
    protocol: Protocol,
    in_query: bool,
) -> Result<Route<'s>, NoRoute> {
    let definition = service.definition();
    if let Some(operation) = definition.operation(name) {
        return Ok(Route { service, operation, protocol, in_query });
    }
    let text = if definition.unbuilt.contains(&name) {
        format!("{name} is an operation of {} that this region does not implement.", definition.name)
    } else {
        format!("'{}' is not an operation of {}.", shorten(name), definition.name)
    };
    Err(nowhere(protocol, Some(definition), text))
}

fn nowhere(
    protocol: Protocol,
    service: Option<&'static ServiceDefinition>,
    text: impl Into<Cow<'static, str>>,
) -> NoRoute {
    NoRoute { protocol, service, error: ServiceError::new(&UNKNOWN_OPERATION, text) }
}

/// A plain field of a form; names and versions of the API have no encoded characters.
fn form_field<'f>(form: &'f [u8], name: &str) -> Option<&'f str> {
    let text = std::str::from_utf8(form).ok()?;
    let pair = text.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
    pair.map(|(_, value)| value)
}

fn shorten(text: &str) -> String {
    text.chars().take(100).collect()
}
