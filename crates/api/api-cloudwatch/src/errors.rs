//! Failures as CloudWatch answers them.

use crate::shapes::errors::{
    CONCURRENT_MODIFICATION_EXCEPTION, LIMIT_EXCEEDED_FAULT, RESOURCE_NOT_FOUND, RESOURCE_NOT_FOUND_EXCEPTION,
};
use crate::shapes::errors::{
    INTERNAL_SERVICE_FAULT, INVALID_NEXT_TOKEN, INVALID_PARAMETER_COMBINATION_EXCEPTION,
    INVALID_PARAMETER_VALUE_EXCEPTION, MISSING_REQUIRED_PARAMETER_EXCEPTION,
};
use aws_wire::{ErrorShape, Fault, ServiceError};
use event_outbox::OutboxError;
use metric_store::MetricsError;
use std::borrow::Cow;
use store::StoreError;

/// What operations answer that name no error for it in the model, as AWS does all the same.
static VALIDATION_ERROR: ErrorShape = ErrorShape {
    name: "ValidationError",
    query_code: None,
    status: 400,
    fault: Fault::Sender,
    message_key: "message",
};

/// A parameter is wrong.
pub fn invalid(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&INVALID_PARAMETER_VALUE_EXCEPTION, message)
}

/// Parameters do not go together.
pub fn combination(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&INVALID_PARAMETER_COMBINATION_EXCEPTION, message)
}

/// A parameter is missing.
pub fn missing(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&MISSING_REQUIRED_PARAMETER_EXCEPTION, message)
}

/// A query of GetMetricData is wrong.
pub fn validation(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&VALIDATION_ERROR, message)
}

/// A token was not made here.
pub fn invalid_token() -> ServiceError {
    ServiceError::new(&INVALID_NEXT_TOKEN, "Request parameter NextToken is invalid")
}

/// The metrics failed. The cause is for the operator, not for the caller.
pub fn from_metrics(error: MetricsError) -> ServiceError {
    if matches!(error, MetricsError::TooMany) {
        return invalid(error.to_string());
    }
    tracing::error!(error = &error as &dyn std::error::Error, "the metrics failed a request");
    ServiceError::new(
        &INTERNAL_SERVICE_FAULT,
        "The request processing has failed because of an internal error.",
    )
}

/// An alarm is not there.
pub fn no_alarm() -> ServiceError {
    ServiceError::new(&RESOURCE_NOT_FOUND, "Alarm not found")
}

/// A resource with tags is not there.
pub fn no_resource(arn: &str) -> ServiceError {
    ServiceError::new(&RESOURCE_NOT_FOUND_EXCEPTION, format!("Unknown: {arn}"))
}

/// The account has as many alarms as it may.
pub fn too_many_alarms() -> ServiceError {
    ServiceError::new(&LIMIT_EXCEEDED_FAULT, "The maximum limit for alarms per account has been exceeded.")
}

/// The rows failed, or somebody else was faster.
pub fn from_store(error: StoreError) -> ServiceError {
    if error.is_conflict() {
        let text = "The alarm is being modified by another request; try again.";
        return ServiceError::new(&CONCURRENT_MODIFICATION_EXCEPTION, text);
    }
    failed(&error)
}

/// Rows or events failed.
pub fn from_outbox(error: OutboxError) -> ServiceError {
    match error {
        OutboxError::Store(error) => from_store(error),
        full @ OutboxError::Full => failed(&full),
    }
}

fn failed(error: &dyn std::error::Error) -> ServiceError {
    tracing::error!(%error, "a request failed");
    ServiceError::new(
        &INTERNAL_SERVICE_FAULT,
        "The request processing has failed because of an internal error.",
    )
}
