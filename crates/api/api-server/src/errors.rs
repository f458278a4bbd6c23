//! Errors that every service shares, because no service sees the requests that meet them.

use aws_wire::{ErrorShape, Fault};

pub(crate) static MALFORMED: ErrorShape =
    shape("SerializationException", "MalformedInput", 400, Fault::Sender);
pub(crate) static TOO_LARGE: ErrorShape =
    shape("RequestEntityTooLargeException", "RequestEntityTooLarge", 413, Fault::Sender);
pub(crate) static TIMED_OUT: ErrorShape =
    shape("RequestTimeoutException", "RequestTimeout", 408, Fault::Sender);
pub(crate) static UNSUPPORTED_ENCODING: ErrorShape =
    shape("UnsupportedMediaTypeException", "UnsupportedMediaType", 415, Fault::Sender);
pub(crate) static UNKNOWN_OPERATION: ErrorShape =
    shape("UnknownOperationException", "InvalidAction", 400, Fault::Sender);
pub(crate) static ACCESS_DENIED: ErrorShape = ErrorShape {
    message_key: "Message",
    ..shape("AccessDeniedException", "AccessDenied", 403, Fault::Sender)
};
pub(crate) static INTERNAL: ErrorShape = shape("InternalFailure", "InternalFailure", 500, Fault::Receiver);

const fn shape(name: &'static str, query: &'static str, status: u16, fault: Fault) -> ErrorShape {
    ErrorShape { name, query_code: Some(query), status, fault, message_key: "message" }
}
