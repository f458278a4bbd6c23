//! Errors of the service, with AWS's texts.

use crate::shapes::errors;
use aws_wire::{ErrorShape, Fault, ServiceError};
use encryption::OpenError;
use std::borrow::Cow;
use store::StoreError;

/// Answered for names that AWS keeps for itself; the model does not list it.
static ACCESS_DENIED_EXCEPTION: ErrorShape = ErrorShape {
    name: "AccessDeniedException",
    query_code: None,
    status: 400,
    fault: Fault::Sender,
    message_key: "Message",
};

/// A parameter of the request is wrong.
pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&errors::VALIDATION_EXCEPTION, message)
}

/// The name is AWS's own.
pub(crate) fn reserved(name: &str) -> ServiceError {
    ServiceError::new(&ACCESS_DENIED_EXCEPTION, format!("No access to reserved parameter name: {name}."))
}

/// There is no such parameter.
pub(crate) fn no_parameter(name: &str) -> ServiceError {
    ServiceError::new(&errors::PARAMETER_NOT_FOUND, format!("Parameter {name} not found."))
}

/// There is no such version, or none with this label.
pub(crate) fn no_version(name: &str, version: impl std::fmt::Display) -> ServiceError {
    ServiceError::new(
        &errors::PARAMETER_VERSION_NOT_FOUND,
        format!(
            "Systems Manager could not find version {version} of {name}. Verify the version and try again."
        ),
    )
}

/// What tags are asked for of does not exist.
pub(crate) fn no_resource() -> ServiceError {
    ServiceError::new(
        &errors::INVALID_RESOURCE_ID,
        "The resource ID isn't valid. Verify that you entered the correct ID and try again.",
    )
}

/// Tags of other resources than parameters are not kept here.
pub(crate) fn no_resource_type() -> ServiceError {
    ServiceError::new(
        &errors::INVALID_RESOURCE_TYPE,
        "This region tags resources of the type Parameter only.",
    )
}

/// The page token is not one of ours.
pub(crate) fn invalid_token() -> ServiceError {
    ServiceError::new(&errors::INVALID_NEXT_TOKEN, "The specified token isn't valid.")
}

/// Too many changed the same parameter at once.
pub(crate) fn too_many_updates() -> ServiceError {
    ServiceError::new(
        &errors::TOO_MANY_UPDATES,
        "There are concurrent updates for a resource that supports one update at a time.",
    )
}

/// The store failed; the caller learns nothing of it but that it may try again.
pub(crate) fn store(error: StoreError) -> ServiceError {
    tracing::error!(%error, "the store failed");
    internal()
}

/// A stored value does not open.
pub(crate) fn unopened(error: OpenError, arn: &str) -> ServiceError {
    tracing::error!(%error, arn, "a stored parameter value does not open");
    internal()
}

fn internal() -> ServiceError {
    ServiceError::new(&errors::INTERNAL_SERVER_ERROR, "An error occurred on the server side.")
}
