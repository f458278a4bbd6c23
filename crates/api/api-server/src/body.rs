//! Reading the body of an AWS call, within bounds.

use crate::Limits;
use crate::errors::{MALFORMED, TIMED_OUT, TOO_LARGE, UNSUPPORTED_ENCODING};
use aws_wire::ServiceError;
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::HeaderMap;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use std::borrow::Cow;
use std::io::Read;

/// Whether a body can be small enough to read before anybody is known to have sent it.
pub(crate) fn is_small(body: &Incoming, limits: &Limits) -> bool {
    body.size_hint().upper().is_some_and(|bytes| bytes <= limits.stranger_body_bytes as u64)
}

/// The whole body. One that says it is too long is refused unread.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Incoming,
    limits: &Limits,
) -> Result<Bytes, ServiceError> {
    let encoding = headers.get(http::header::CONTENT_ENCODING);
    if let Some(encoding) = encoding.filter(|value| *value != "identity" && *value != "gzip") {
        let name: String = encoding.to_str().unwrap_or_default().chars().take(64).collect();
        return Err(ServiceError::new(
            &UNSUPPORTED_ENCODING,
            format!("Content-Encoding '{name}' is not supported by this service."),
        ));
    }
    if body.size_hint().lower() > limits.body_bytes as u64 {
        return Err(too_large(limits));
    }
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    match tokio::time::timeout(limits.body_time, Limited::new(body, limits.body_bytes).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(limits)),
        Ok(Err(error)) => Err(ServiceError::new(&MALFORMED, format!("The body did not arrive: {error}"))),
        Err(_) => Err(ServiceError::new(&TIMED_OUT, "The body did not arrive in time.")),
    }
}

/// The body as it was before its client made it smaller. Its signature is over what was sent, so this comes after.
pub(crate) fn inflated<'b>(
    headers: &HeaderMap,
    body: &'b [u8],
    limits: &Limits,
) -> Result<Cow<'b, [u8]>, ServiceError> {
    if headers.get(http::header::CONTENT_ENCODING).is_none_or(|value| *value != "gzip") {
        return Ok(Cow::Borrowed(body));
    }
    let mut inflated = Vec::new();
    // One byte more than is allowed shows that there is more.
    let mut reader = GzDecoder::new(body).take(limits.body_bytes as u64 + 1);
    reader
        .read_to_end(&mut inflated)
        .map_err(|error| ServiceError::new(&MALFORMED, format!("The body is not gzip: {error}")))?;
    if inflated.len() > limits.body_bytes { Err(too_large(limits)) } else { Ok(Cow::Owned(inflated)) }
}

fn too_large(limits: &Limits) -> ServiceError {
    ServiceError::new(&TOO_LARGE, format!("The request body is larger than {} bytes.", limits.body_bytes))
}
