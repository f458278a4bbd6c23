//! Errors of the service, with AWS's texts.

use crate::shapes::errors;
use aws_wire::ServiceError;
use std::borrow::Cow;
use store::StoreError;

/// A parameter is wrong, or something is asked for that this region does not do.
pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&errors::VALIDATION_EXCEPTION, message)
}

/// A parameter that this region does not honour is refused when it is given.
pub(crate) fn refuse(given: bool, what: &str) -> Result<(), ServiceError> {
    if given { Err(invalid(format!("{what} is not supported by this region."))) } else { Ok(()) }
}

/// There is no such thing.
pub(crate) fn not_found(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&errors::RESOURCE_NOT_FOUND_EXCEPTION, message)
}

/// There is one already, or somebody else was faster.
pub(crate) fn conflict(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&errors::CONFLICT_EXCEPTION, message)
}

/// There are too many.
pub(crate) fn quota(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&errors::SERVICE_QUOTA_EXCEEDED_EXCEPTION, message)
}

/// The store failed, or somebody else was faster.
pub(crate) fn store(error: StoreError) -> ServiceError {
    if error.is_conflict() {
        return conflict("The resource is being modified by another request; try again.");
    }
    tracing::error!(%error, "the store failed");
    ServiceError::new(&errors::INTERNAL_SERVER_EXCEPTION, "Internal server error.")
}
