//! Errors of the public registry, with AWS's texts.

use crate::shapes::errors;
use aws_wire::{ErrorShape, ServiceError};
use identifiers::AccountId;
use image_registry::ImageError;
use resources::ecr::Repository;
use std::borrow::Cow;
use store::StoreError;

/// A parameter is wrong.
pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&errors::INVALID_PARAMETER_EXCEPTION, message)
}

/// A parameter breaks a rule that the model does not state.
pub(crate) fn invalid_at(parameter: &str, constraint: &str) -> ServiceError {
    invalid(format!("Invalid parameter at '{parameter}' failed to satisfy constraint: '{constraint}'"))
}

/// There is no such repository.
pub(crate) fn no_repository(account: &AccountId, name: &str) -> ServiceError {
    let text =
        format!("The repository with name '{name}' does not exist in the registry with id '{account}'");
    ServiceError::new(&errors::REPOSITORY_NOT_FOUND_EXCEPTION, text)
}

/// Something of a repository is not there: `what` is the beginning of the sentence.
pub(crate) fn nothing_of(shape: &'static ErrorShape, what: &str, repository: &Repository) -> ServiceError {
    let text = format!(
        "{what} does not exist for the repository with name '{}' in the registry with id '{}'",
        repository.given_name(),
        repository.account
    );
    ServiceError::new(shape, text)
}

/// The store failed; the caller learns nothing of it but that it may try again.
pub(crate) fn store(error: StoreError) -> ServiceError {
    tracing::error!(%error, "the store failed");
    ServiceError::new(&errors::SERVER_EXCEPTION, "The service failed. Please try again later.")
}

/// What keeps images failed in a way that no request is to blame for.
pub(crate) fn images_failed(error: impl Into<ImageError>) -> ServiceError {
    match error.into() {
        ImageError::Store(error) => store(error),
        error => {
            tracing::error!(error = &error as &dyn std::error::Error, "the images failed");
            ServiceError::new(&errors::SERVER_EXCEPTION, "The service failed. Please try again later.")
        }
    }
}
