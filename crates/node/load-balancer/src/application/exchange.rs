//! A request, from its head to the head of its answer.

use super::answers;
use super::body::ToClient;
use super::client::Client;
use super::forward::forward;
use super::headers::{FORWARDED_FOR, MOST_FORWARDED_FOR, forwarded_for_count};
use super::record::Record;
use crate::live::{Compiled, Step};
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{Method, Request, Response, Version};
use hyper::body::Incoming;
use load_balancing::{Desync, RedirectParts, RequestView, location};
use std::rc::Rc;

/// Longest target of a request, and longest header, as AWS has it.
const MOST_LINE: usize = 16 * 1024;

/// Answers a request.
pub(crate) async fn answer(client: Rc<Client>, request: Request<Incoming>) -> Response<ToClient> {
    client.activity.between_requests(false);
    let mut response = answer_open(&client, request).await;
    if let ToClient::Target(body) = response.body_mut() {
        body.end_if_empty();
    }
    if !client.http2 && client.is_to_close() && response.status() != http::StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn answer_open(client: &Rc<Client>, mut request: Request<Incoming>) -> Response<ToClient> {
    let Some(compiled) = client.listener.compiled() else {
        // A listener has something to do before it has its first connection.
        return Response::new(ToClient::Nothing);
    };
    let mut record = Record::new(client, &compiled);
    record.describe(request.method(), request.uri(), request.version(), request.headers());
    if let Err(status) = check(client, &request, compiled.balancer.attributes.desync) {
        client.closing.set(true);
        return with_listener_headers(&compiled, answers::own(status, "-", record));
    }
    if compiled.balancer.attributes.drop_invalid_header_fields {
        super::headers::drop_invalid(request.headers_mut());
    }
    let host = Host::of(&request);
    let host = host.as_str();
    let query = request.uri().query().unwrap_or_default();
    let view = RequestView {
        method: request.method(),
        host,
        path: request.uri().path(),
        query,
        headers: request.headers(),
        source: client.peer.ip(),
    };
    let rule = compiled.rules.find(&view);
    let step = rule.map_or(&compiled.default, |index| &compiled.steps[index]);
    let response = match step {
        Step::Forward(forwarding) => {
            record.decided(rule, "forward");
            forward(client, &compiled, forwarding, host, request, record).await
        }
        Step::Redirect(redirect) => {
            record.decided(rule, "redirect");
            let parts = RedirectParts {
                protocol: if client.tls.is_some() { "https" } else { "http" },
                host: load_balancing::host_without_port(host),
                port: compiled.listener.port,
                path: request.uri().path(),
                query,
            };
            answers::redirect(redirect.status, &location(redirect, parts), record)
        }
        Step::Fixed { status, content_type, body } => {
            record.decided(rule, "fixed-response");
            answers::fixed(*status, content_type.as_ref(), body, record)
        }
    };
    with_listener_headers(&compiled, response)
}

/// What a request must be like to be looked at any further; else the status that it gets.
fn check(client: &Client, request: &Request<Incoming>, desync: Desync) -> Result<(), u16> {
    let headers = request.headers();
    if !client.http2 && client.activity.is_ambiguous() {
        return Err(400);
    }
    if matches!(*request.method(), Method::TRACE | Method::CONNECT) {
        return Err(405);
    }
    let mut hosts = headers.get_all(HOST).iter();
    let named = hosts.next().is_some();
    if hosts.next().is_some() || (!named && request.version() == Version::HTTP_11) {
        return Err(400);
    }
    if headers.get_all(CONTENT_LENGTH).iter().count() > 1 {
        return Err(400);
    }
    if headers
        .get_all(TRANSFER_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        return Err(501);
    }
    if desync == Desync::Strictest {
        // RFC 7231: content of these has no meaning.
        let has_body = headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
        let bodyless = matches!(*request.method(), Method::GET | Method::HEAD);
        let empty = headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0");
        if bodyless && has_body && !empty {
            return Err(400);
        }
    }
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > MOST_LINE {
        return Err(414);
    }
    if headers.values().any(|value| value.len() > MOST_LINE) {
        return Err(400);
    }
    if headers.contains_key(FORWARDED_FOR) && forwarded_for_count(headers) > MOST_FORWARDED_FOR {
        return Err(463);
    }
    Ok(())
}

/// The host that a request names: in its target, or in its header. A share of the bytes that came.
enum Host {
    Target(Authority),
    Header(HeaderValue),
    Unnamed,
}

impl Host {
    fn of(request: &Request<Incoming>) -> Self {
        match (request.uri().authority(), request.headers().get(HOST)) {
            (Some(authority), _) => Self::Target(authority.clone()),
            (None, Some(header)) => Self::Header(header.clone()),
            (None, None) => Self::Unnamed,
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Target(authority) => authority.as_str(),
            Self::Header(header) => header.to_str().unwrap_or_default(),
            Self::Unnamed => "",
        }
    }
}

/// Sets the headers that a listener has on every answer.
fn with_listener_headers(compiled: &Compiled, mut response: Response<ToClient>) -> Response<ToClient> {
    let headers = response.headers_mut();
    for (name, value) in &compiled.response_headers {
        headers.insert(name.clone(), value.clone());
    }
    if !compiled.listener.server_header {
        headers.remove(http::header::SERVER);
    }
    response
}
