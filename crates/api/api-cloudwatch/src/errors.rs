//! Failures as CloudWatch answers them.

use crate::shapes::errors::{
    INTERNAL_SERVICE_FAULT, INVALID_NEXT_TOKEN, INVALID_PARAMETER_COMBINATION_EXCEPTION,
    INVALID_PARAMETER_VALUE_EXCEPTION, MISSING_REQUIRED_PARAMETER_EXCEPTION,
};
use aws_wire::{ErrorShape, Fault, ServiceError};
use metric_store::MetricsError;
use std::borrow::Cow;

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
