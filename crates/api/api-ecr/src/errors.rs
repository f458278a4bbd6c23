//! Errors of the service, with AWS's texts.

use crate::shapes::errors;
use aws_wire::{RequestContext, ServiceError};
use image_registry::ImageError;
use std::borrow::Cow;
use store::StoreError;

/// A parameter is wrong.
pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&errors::INVALID_PARAMETER_EXCEPTION, message)
}

/// There is no such repository.
pub(crate) fn no_repository(context: &RequestContext, name: &str) -> ServiceError {
    let text = format!(
        "The repository with name '{name}' does not exist in the registry with id '{}'",
        context.account
    );
    ServiceError::new(&errors::REPOSITORY_NOT_FOUND_EXCEPTION, text)
}

/// The store failed; the caller learns nothing of it but that it may try again.
pub(crate) fn store(error: StoreError) -> ServiceError {
    tracing::error!(%error, "the store failed");
    ServiceError::new(&errors::SERVER_EXCEPTION, "The service failed. Please try again later.")
}

/// What keeps images failed in a way that no request is to blame for.
pub(crate) fn images_failed(error: ImageError) -> ServiceError {
    match error {
        ImageError::Store(error) => store(error),
        error => {
            tracing::error!(error = &error as &dyn std::error::Error, "the images failed");
            ServiceError::new(&errors::SERVER_EXCEPTION, "The service failed. Please try again later.")
        }
    }
}
