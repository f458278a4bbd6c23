//! Reading the body of an AWS call, within bounds.

use crate::Limits;
use crate::errors::{MALFORMED, TIMED_OUT, TOO_LARGE, UNSUPPORTED_ENCODING};
use aws_wire::ServiceError;
use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};

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
    if let Some(encoding) = headers.get(http::header::CONTENT_ENCODING).filter(|value| *value != "identity") {
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

fn too_large(limits: &Limits) -> ServiceError {
    ServiceError::new(&TOO_LARGE, format!("The request body is larger than {} bytes.", limits.body_bytes))
}
