//! Errors of the service, with AWS's texts.

use crate::shapes::errors;
use aws_wire::ServiceError;
use event_outbox::OutboxError;
use std::borrow::Cow;
use store::StoreError;

/// A parameter is wrong, or something is asked for that this region does not do.
pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&errors::VALIDATION_EXCEPTION, message)
}

/// A parameter of this region's own making is refused when it is given.
pub(crate) fn refuse(given: bool, what: &str) -> Result<(), ServiceError> {
    if given { Err(invalid(format!("{what} is not supported by this region."))) } else { Ok(()) }
}

/// There is no such thing.
pub(crate) fn not_found(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&errors::RESOURCE_NOT_FOUND_EXCEPTION, message)
}

/// There is one already.
pub(crate) fn exists(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&errors::RESOURCE_ALREADY_EXISTS_EXCEPTION, message)
}

/// There are too many.
pub(crate) fn limit() -> ServiceError {
    ServiceError::new(
        &errors::LIMIT_EXCEEDED_EXCEPTION,
        "The requested resource exceeds the maximum number allowed.",
    )
}

/// A pattern is none.
pub(crate) fn pattern(error: event_patterns::PatternError) -> ServiceError {
    ServiceError::new(&errors::INVALID_EVENT_PATTERN_EXCEPTION, error.to_string())
}

/// The page token is not one of ours.
pub(crate) fn invalid_token() -> ServiceError {
    invalid("Parameter NextToken is not valid.")
}

/// The store failed, or somebody else was faster.
pub(crate) fn store(error: StoreError) -> ServiceError {
    if error.is_conflict() {
        let text = "The resource is being modified by another request; try again.";
        return ServiceError::new(&errors::CONCURRENT_MODIFICATION_EXCEPTION, text);
    }
    internal(&error)
}

/// Events cannot be taken.
pub(crate) fn outbox(error: OutboxError) -> ServiceError {
    match error {
        OutboxError::Store(error) => store(error),
        full @ OutboxError::Full => internal(&full),
    }
}

/// Something failed; the caller learns nothing of it but that it may try again.
pub(crate) fn internal(error: &dyn std::error::Error) -> ServiceError {
    tracing::error!(%error, "a request failed");
    ServiceError::new(&errors::INTERNAL_EXCEPTION, "Internal error.")
}
