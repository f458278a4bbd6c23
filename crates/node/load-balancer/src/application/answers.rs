//! Answers of the load balancer itself.

use super::body::ToClient;
use super::record::{Record, Source};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION, SERVER};
use http::{Response, StatusCode};

const NAME: HeaderValue = HeaderValue::from_static("awselb/2.0");
const HTML: HeaderValue = HeaderValue::from_static("text/html");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain");

/// An answer with a status and a page that says so. `error` is the reason in the access log.
pub(crate) fn own(status: u16, error: &'static str, record: Record) -> Response<ToClient> {
    if record.compiled().balancer.attributes.is_proxy {
        return answer(status, Some(TEXT), title(status).into(), Source::Own, error, None, record);
    }
    answer(status, Some(HTML), page(status), Source::Own, error, None, record)
}

/// A redirect.
pub(crate) fn redirect(status: u16, location: &str, record: Record) -> Response<ToClient> {
    match HeaderValue::from_str(location) {
        Ok(location) => {
            answer(status, Some(HTML), page(status), Source::Redirect, "-", Some(location), record)
        }
        Err(_) => own(400, "-", record),
    }
}

/// What a rule says.
pub(crate) fn fixed(
    status: u16,
    content_type: Option<&HeaderValue>,
    body: &Bytes,
    record: Record,
) -> Response<ToClient> {
    answer(status, content_type.cloned(), body.clone(), Source::Fixed, "-", None, record)
}

fn answer(
    status: u16,
    content_type: Option<HeaderValue>,
    body: Bytes,
    source: Source,
    error: &'static str,
    location: Option<HeaderValue>,
    mut record: Record,
) -> Response<ToClient> {
    let compiled = record.compiled();
    let server = compiled.listener.server_header && !compiled.balancer.attributes.is_proxy;
    let mut response = Response::new(());
    // 463 and 464 are no codes of HTTP, but numbers of three digits.
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if server {
        headers.insert(SERVER, NAME);
    }
    if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, content_type);
    }
    if let Some(location) = location {
        headers.insert(LOCATION, location);
    }
    record.answered(source, status, response.headers(), error);
    response.map(|()| ToClient::Own(body, record))
}

fn title(status: u16) -> String {
    match StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()) {
        Some(reason) => format!("{status} {reason}"),
        None => status.to_string(),
    }
}

fn page(status: u16) -> Bytes {
    let title = title(status);
    Bytes::from(format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    ))
}
