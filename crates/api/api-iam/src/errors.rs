//! Errors of the service, with AWS's texts.

use crate::shapes::errors;
use access::BindError;
use aws_wire::{ErrorShape, ServiceError};
use iam_policy::MalformedPolicy;
use std::fmt::Display;
use store::StoreError;

/// Why an operation did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The caller is answered this.
    #[error(transparent)]
    Answer(#[from] ServiceError),
    /// The store failed or somebody else wrote first.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Failure {
    /// Somebody else wrote first: read again and decide anew.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_conflict())
    }
}

impl From<Failure> for ServiceError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Answer(error) => error,
            Failure::Store(error) if error.is_conflict() => Self::new(
                &errors::CONCURRENT_MODIFICATION_EXCEPTION,
                "The request was rejected because multiple requests to change this object were submitted \
                 simultaneously. Wait a few minutes and submit your request again.",
            ),
            Failure::Store(error) => {
                tracing::error!(%error, "the store failed");
                // The caller learns nothing of it but that it may try again.
                Self::new(&errors::SERVICE_FAILURE_EXCEPTION, "The service failed. Please try again later.")
            }
        }
    }
}

impl From<MalformedPolicy> for Failure {
    fn from(error: MalformedPolicy) -> Self {
        malformed(error.to_string())
    }
}

impl From<BindError> for Failure {
    fn from(error: BindError) -> Self {
        match error {
            BindError::Store(error) => Self::Store(error),
            BindError::Malformed(_) | BindError::NoPrincipal(_) => malformed(error),
        }
    }
}

fn answer(shape: &'static ErrorShape, message: impl Display) -> Failure {
    Failure::Answer(ServiceError::new(shape, message.to_string()))
}

/// There is no such thing.
pub(crate) fn no_such_entity(message: impl Display) -> Failure {
    answer(&errors::NO_SUCH_ENTITY_EXCEPTION, message)
}

/// Its name is taken.
pub(crate) fn already_exists(message: impl Display) -> Failure {
    answer(&errors::ENTITY_ALREADY_EXISTS_EXCEPTION, message)
}

/// Something hangs on what is to be deleted.
pub(crate) fn delete_conflict(message: impl Display) -> Failure {
    answer(&errors::DELETE_CONFLICT_EXCEPTION, message)
}

/// A quota is reached.
pub(crate) fn limit_exceeded(message: impl Display) -> Failure {
    answer(&errors::LIMIT_EXCEEDED_EXCEPTION, message)
}

/// A quota is reached, as AWS words most of them.
pub(crate) fn over_quota(quota: &str, limit: usize) -> Failure {
    limit_exceeded(format_args!("Cannot exceed quota for {quota}: {limit}"))
}

/// An input is wrong in itself.
pub(crate) fn invalid_input(message: impl Display) -> Failure {
    answer(&errors::INVALID_INPUT_EXCEPTION, message)
}

/// An input breaks a constraint that the model does not carry.
pub(crate) fn validation(message: impl Display) -> Failure {
    answer(&errors::VALIDATION_ERROR, message)
}

/// A document is not a policy.
pub(crate) fn malformed(message: impl Display) -> Failure {
    answer(&errors::MALFORMED_POLICY_DOCUMENT_EXCEPTION, message)
}

/// A service-linked role is changed by its service only.
pub(crate) fn unmodifiable(message: impl Display) -> Failure {
    answer(&errors::UNMODIFIABLE_ENTITY_EXCEPTION, message)
}

/// A password is not as the account's policy demands.
pub(crate) fn password_policy(message: impl Display) -> Failure {
    answer(&errors::PASSWORD_POLICY_VIOLATION_EXCEPTION, message)
}

/// Another error of the model.
pub(crate) fn other(shape: &'static ErrorShape, message: impl Display) -> Failure {
    answer(shape, message)
}
