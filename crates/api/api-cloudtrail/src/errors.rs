//! Failures as CloudTrail answers them.

use crate::delivery::DeliveryError;
use crate::shapes::errors;
use audit_log::AuditError;
use aws_wire::{ErrorShape, Fault, RequestContext, ServiceError};
use std::borrow::Cow;
use store::StoreError;

static INTERNAL: ErrorShape = ErrorShape {
    name: "InternalFailure",
    query_code: None,
    status: 500,
    fault: Fault::Receiver,
    message_key: "message",
};

/// The error `shape`.
pub(crate) fn refused(shape: &'static ErrorShape, message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(shape, message)
}

/// There is no such trail.
pub(crate) fn no_trail(context: &RequestContext, name: &str) -> ServiceError {
    let text = format!("Unknown trail: {name} for the user: {}", context.account);
    refused(&errors::TRAIL_NOT_FOUND_EXCEPTION, text)
}

/// What this region has no machinery for.
pub(crate) fn not_built(what: &str) -> ServiceError {
    let text = format!("{what} is not available in this region.");
    refused(&errors::UNSUPPORTED_OPERATION_EXCEPTION, text)
}

/// The rows failed. The cause is for the operator, not for the caller.
pub(crate) fn from_store(error: StoreError) -> ServiceError {
    if error.is_conflict() {
        let text = "Another change of the trail is in progress. Please try again.";
        return refused(&errors::CONFLICT_EXCEPTION, text);
    }
    tracing::error!(%error, "the store failed a CloudTrail request");
    internal()
}

/// The records failed.
pub(crate) fn from_log(error: AuditError) -> ServiceError {
    tracing::error!(error = &error as &dyn std::error::Error, "the audit log failed a CloudTrail request");
    internal()
}

/// Delivery failed.
pub(crate) fn from_delivery(error: DeliveryError) -> ServiceError {
    match error {
        DeliveryError::Store(error) => from_store(error),
        DeliveryError::Log(error) => from_log(error),
        DeliveryError::Files { .. } => {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot deliver a trail");
            internal()
        }
    }
}

fn internal() -> ServiceError {
    refused(&INTERNAL, "The service cannot complete the request. Please try again.")
}
