//! Errors of the service, with AWS's texts.

use crate::shapes::errors;
use aws_wire::{ErrorShape, Fault, ServiceError};
use encryption::OpenError;
use resources::ssm::DocumentKind;
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

/// Tags of other resources than parameters and documents are not kept here.
pub(crate) fn no_resource_type() -> ServiceError {
    ServiceError::new(
        &errors::INVALID_RESOURCE_TYPE,
        "This region tags resources of the types Parameter and Document only.",
    )
}

/// There is no such document, or none for this caller.
pub(crate) fn no_document(name: &str) -> ServiceError {
    ServiceError::new(&errors::INVALID_DOCUMENT, format!("Document with name {name} does not exist."))
}

/// There is a document of this name.
pub(crate) fn document_exists(name: &str) -> ServiceError {
    ServiceError::new(
        &errors::DOCUMENT_ALREADY_EXISTS,
        format!("Document with same name {name} already exists"),
    )
}

/// The version is not there, or not the one that can be changed.
pub(crate) fn invalid_document_version() -> ServiceError {
    ServiceError::new(
        &errors::INVALID_DOCUMENT_VERSION,
        "The document version is not valid or does not exist.",
    )
}

/// The content of a document is not as its schema wants it.
pub(crate) fn bad_content(message: String) -> ServiceError {
    ServiceError::new(&errors::INVALID_DOCUMENT_CONTENT, message)
}

/// The type of document has no such schema, or cannot be changed with it.
pub(crate) fn bad_schema_version(version: &str, kind: DocumentKind) -> ServiceError {
    ServiceError::new(
        &errors::INVALID_DOCUMENT_SCHEMA_VERSION,
        format!("The document schema version {version} is not supported for {kind:?} documents here."),
    )
}

/// The content of a document is too large.
pub(crate) fn document_too_large() -> ServiceError {
    ServiceError::new(&errors::MAX_DOCUMENT_SIZE_EXCEEDED, "The size limit of a document is 64 KB.")
}

/// A filter of documents is none.
pub(crate) fn invalid_filter_key(key: &str) -> ServiceError {
    ServiceError::new(&errors::INVALID_FILTER_KEY, format!("The specified key isn't valid: {key}"))
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

/// There is no such session, or it is somebody else's.
pub(crate) fn no_session(id: &str) -> ServiceError {
    ServiceError::new(
        &errors::DOES_NOT_EXIST_EXCEPTION,
        format!("Session with id {id} does not exist. Verify the id and try again."),
    )
}

/// The store failed; the caller learns nothing of it but that it may try again.
pub(crate) fn store(error: StoreError) -> ServiceError {
    tracing::error!(%error, "the store failed");
    server_side()
}

/// A stored value does not open.
pub(crate) fn unopened(error: OpenError, arn: &str) -> ServiceError {
    tracing::error!(%error, arn, "a stored parameter value does not open");
    server_side()
}

/// Something failed that cannot be the caller's fault.
pub(crate) fn internal(error: &dyn std::fmt::Display) -> ServiceError {
    tracing::error!(%error, "a document cannot be written in the wanted format");
    server_side()
}

fn server_side() -> ServiceError {
    ServiceError::new(&errors::INTERNAL_SERVER_ERROR, "An error occurred on the server side.")
}
