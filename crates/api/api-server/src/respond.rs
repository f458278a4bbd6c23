//! Answers.

use aws_wire::Encoded;
use bytes::Bytes;
use http::HeaderValue;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use identifiers::Region;
use std::convert::Infallible;

/// The body of an answer. An error in the middle of it ends the connection.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;
/// An answer.
pub type Response = http::Response<Body>;

/// A body that is there already.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// An encoded answer of an AWS protocol.
pub(crate) fn encoded(encoded: Encoded, request_id: &str) -> Response {
    let mut response = http::Response::new(full(encoded.body));
    *response.status_mut() =
        http::StatusCode::from_u16(encoded.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(encoded.content_type));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    for (name, value) in encoded.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}

/// The answer of a server that works.
pub(crate) fn health(region: &Region) -> Response {
    let mut response = http::Response::new(full(format!("{{\"status\":\"ok\",\"region\":\"{region}\"}}\n")));
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
