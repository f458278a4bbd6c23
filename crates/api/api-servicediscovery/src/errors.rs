//! Errors of the service.

use crate::shapes::errors;
use aws_wire::{ErrorShape, Fault, Node, ServiceError};
use resources::discovery::{DiscoveryService, Namespace};
use std::borrow::Cow;
use store::StoreError;

/// The model has no error for what is not the caller's fault.
static INTERNAL: ErrorShape = ErrorShape {
    name: "InternalFailure",
    query_code: None,
    status: 500,
    fault: Fault::Receiver,
    message_key: "Message",
};

/// A parameter is wrong, or asks for what this region does not do.
pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&errors::INVALID_INPUT, message)
}

/// There is no such namespace.
pub(crate) fn no_namespace(given: &str) -> ServiceError {
    ServiceError::new(&errors::NAMESPACE_NOT_FOUND, format!("Namespace {given} not found."))
}

/// There is no such service.
pub(crate) fn no_service(given: &str) -> ServiceError {
    ServiceError::new(&errors::SERVICE_NOT_FOUND, format!("Service {given} not found."))
}

/// There is no such instance.
pub(crate) fn no_instance(given: &str) -> ServiceError {
    ServiceError::new(&errors::INSTANCE_NOT_FOUND, format!("Instance {given} not found."))
}

/// Another namespace has the name.
pub(crate) fn namespace_exists(other: &Namespace) -> ServiceError {
    let error = ServiceError::new(
        &errors::NAMESPACE_ALREADY_EXISTS,
        "The namespace that you're trying to create already exists.",
    );
    let error = error.with_member("NamespaceId", Node::Text(other.id.clone()));
    with_creator(error, other.creator_request_id.as_deref())
}

/// Another service of the namespace has the name.
pub(crate) fn service_exists(other: &DiscoveryService, arn: String) -> ServiceError {
    let error = ServiceError::new(&errors::SERVICE_ALREADY_EXISTS, "Service already exists.")
        .with_member("ServiceId", Node::Text(other.id.clone()))
        .with_member("ServiceArn", Node::Text(arn));
    with_creator(error, other.creator_request_id.as_deref())
}

fn with_creator(error: ServiceError, creator: Option<&str>) -> ServiceError {
    match creator {
        Some(creator) => error.with_member("CreatorRequestId", Node::Text(creator.to_owned())),
        None => error,
    }
}

/// Something is still used.
pub(crate) fn in_use(message: &'static str) -> ServiceError {
    ServiceError::new(&errors::RESOURCE_IN_USE, message)
}

/// Others change the same resource all the time.
pub(crate) fn contended() -> ServiceError {
    ServiceError::new(&INTERNAL, "The resource is being changed again and again. Please try again later.")
}

/// The store failed; the caller learns nothing of it but that it may try again.
pub(crate) fn store(error: StoreError) -> ServiceError {
    tracing::error!(%error, "the store failed");
    ServiceError::new(&INTERNAL, "The request processing has failed because of an unknown error.")
}
