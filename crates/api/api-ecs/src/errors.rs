//! Errors of the service, with AWS's texts.

use crate::shapes::errors;
use aws_wire::ServiceError;
use std::borrow::Cow;
use store::StoreError;

/// Something in the request cannot be done as it is.
pub(crate) fn client(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&errors::CLIENT_EXCEPTION, message)
}

/// A parameter is wrong.
pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&errors::INVALID_PARAMETER_EXCEPTION, message)
}

/// There is no such cluster, or it is deleted.
pub(crate) fn cluster_not_found() -> ServiceError {
    ServiceError::new(&errors::CLUSTER_NOT_FOUND_EXCEPTION, "Cluster not found.")
}

/// There is no such service.
pub(crate) fn service_not_found() -> ServiceError {
    ServiceError::new(&errors::SERVICE_NOT_FOUND_EXCEPTION, "Service not found.")
}

/// The service is being deleted or is gone.
pub(crate) fn service_not_active() -> ServiceError {
    ServiceError::new(&errors::SERVICE_NOT_ACTIVE_EXCEPTION, "Service was not ACTIVE.")
}

/// What services are asked to do and do not do here.
pub(crate) fn unsupported(what: &str) -> ServiceError {
    ServiceError::new(
        &errors::UNSUPPORTED_FEATURE_EXCEPTION,
        format!("{what} is not supported by this region. See docs/guides/services.md."),
    )
}

/// Others write the same resource all the time.
pub(crate) fn update_in_progress() -> ServiceError {
    ServiceError::new(
        &errors::SERVER_EXCEPTION,
        "The resource is being changed again and again. Please try again later.",
    )
}

/// The store failed; the caller learns nothing of it but that it may try again.
pub(crate) fn store(error: StoreError) -> ServiceError {
    tracing::error!(%error, "the store failed");
    ServiceError::new(&errors::SERVER_EXCEPTION, "Service Unavailable. Please try again later.")
}

/// An operation's failure: either an answer for the caller, or the store's.
pub(crate) enum Failure {
    Answer(ServiceError),
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        Self::Answer(error)
    }
}

impl From<Failure> for ServiceError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Answer(error) => error,
            Failure::Store(error) => store(error),
        }
    }
}
