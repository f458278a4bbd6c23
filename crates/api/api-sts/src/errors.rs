//! Errors of the service, with AWS's texts.

use crate::shapes::errors;
use access::AccessError;
use aws_wire::{ErrorShape, Fault, ServiceError};
use std::borrow::Cow;
use std::fmt::Display;
use store::StoreError;

/// Not in the model, because every service has it.
static ACCESS_DENIED: ErrorShape = ErrorShape {
    name: "AccessDenied",
    query_code: Some("AccessDenied"),
    status: 403,
    fault: Fault::Sender,
    message_key: "message",
};
static INTERNAL: ErrorShape = ErrorShape {
    name: "InternalFailure",
    query_code: Some("InternalFailure"),
    status: 500,
    fault: Fault::Receiver,
    message_key: "message",
};

pub(crate) fn denied(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&ACCESS_DENIED, message)
}

pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&errors::VALIDATION_ERROR, message)
}

pub(crate) fn malformed_policy(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&errors::MALFORMED_POLICY_DOCUMENT_EXCEPTION, message)
}

pub(crate) fn bad_token(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&errors::INVALID_IDENTITY_TOKEN_EXCEPTION, message)
}

/// Something failed that is not the caller's doing.
pub(crate) fn internal(error: impl Display) -> ServiceError {
    tracing::error!(%error, "STS failed");
    ServiceError::new(&INTERNAL, "The request processing has failed because of an internal error.")
}

pub(crate) fn store(error: StoreError) -> ServiceError {
    internal(error)
}

pub(crate) fn access(error: AccessError) -> ServiceError {
    tracing::error!(error = &error as &dyn std::error::Error, "cannot decide");
    internal("see the error before")
}
