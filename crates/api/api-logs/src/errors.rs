//! Failures as CloudWatch Logs answers them.

use crate::events::EventsError;
use crate::shapes::errors::{
    INVALID_PARAMETER_EXCEPTION, OPERATION_ABORTED_EXCEPTION, RESOURCE_ALREADY_EXISTS_EXCEPTION,
    RESOURCE_NOT_FOUND_EXCEPTION, SERVICE_UNAVAILABLE_EXCEPTION,
};
use aws_wire::ServiceError;
use std::borrow::Cow;
use store::StoreError;

/// A parameter is wrong.
pub fn invalid(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&INVALID_PARAMETER_EXCEPTION, message)
}

/// A token was not made by this region for this request.
pub fn invalid_token() -> ServiceError {
    invalid("The specified nextToken is invalid.")
}

/// No such group.
pub fn no_group() -> ServiceError {
    ServiceError::new(&RESOURCE_NOT_FOUND_EXCEPTION, "The specified log group does not exist.")
}

/// No such stream.
pub fn no_stream() -> ServiceError {
    ServiceError::new(&RESOURCE_NOT_FOUND_EXCEPTION, "The specified log stream does not exist.")
}

/// The name of a group or stream is taken.
pub fn exists(what: &'static str) -> ServiceError {
    ServiceError::new(&RESOURCE_ALREADY_EXISTS_EXCEPTION, format!("The specified {what} already exists"))
}

/// The rows failed. The cause is for the operator, not for the caller.
pub fn from_store(error: StoreError) -> ServiceError {
    if error.is_conflict() {
        return ServiceError::new(
            &OPERATION_ABORTED_EXCEPTION,
            "A conflicting operation is currently in progress against this resource. Please try again.",
        );
    }
    tracing::error!(%error, "the store failed a logs request");
    unavailable()
}

/// The events failed.
pub fn from_events(error: EventsError) -> ServiceError {
    match error {
        EventsError::Store(error) => from_store(error),
        EventsError::Blob(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(%error, cause, "the files failed a logs request");
            unavailable()
        }
    }
}

fn unavailable() -> ServiceError {
    ServiceError::new(
        &SERVICE_UNAVAILABLE_EXCEPTION,
        "The service cannot complete the request. Please try again.",
    )
}
