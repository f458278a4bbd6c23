//! Errors of the service, with AWS's texts.

use crate::shapes::errors;
use aws_wire::ServiceError;
use encryption::OpenError;
use std::borrow::Cow;
use store::StoreError;

/// A parameter is wrong.
pub(crate) fn invalid_parameter(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&errors::INVALID_PARAMETER_EXCEPTION, message)
}

/// The secret is in no state for this request.
pub(crate) fn invalid_request(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&errors::INVALID_REQUEST_EXCEPTION, message)
}

/// There is no such secret, or none that the caller may know of.
pub(crate) fn no_secret() -> ServiceError {
    not_found("Secrets Manager can't find the specified secret.")
}

/// Something of a secret is not there.
pub(crate) fn not_found(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&errors::RESOURCE_NOT_FOUND_EXCEPTION, message)
}

/// The secret waits for its end.
pub(crate) fn marked_for_deletion() -> ServiceError {
    invalid_request("You can't perform this operation on the secret because it was marked for deletion.")
}

/// A version was made with this token and holds something else.
pub(crate) fn token_in_use(token: &str, arn: &str) -> ServiceError {
    ServiceError::new(
        &errors::RESOURCE_EXISTS_EXCEPTION,
        format!(
            "You can't use ClientRequestToken {token} because that value is already in use for a version of secret \
             {arn}."
        ),
    )
}

/// The page token is not one of ours.
pub(crate) fn invalid_token() -> ServiceError {
    ServiceError::new(&errors::INVALID_NEXT_TOKEN_EXCEPTION, "Invalid NextToken.")
}

/// The store failed; the caller learns nothing of it but that it may try again.
pub(crate) fn store(error: StoreError) -> ServiceError {
    tracing::error!(%error, "the store failed");
    ServiceError::new(&errors::INTERNAL_SERVICE_ERROR, "An error occurred on the server side.")
}

/// A stored value does not open.
pub(crate) fn unopened(error: OpenError, arn: &str) -> ServiceError {
    tracing::error!(%error, arn, "a stored secret value does not open");
    ServiceError::new(
        &errors::DECRYPTION_FAILURE,
        "Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
    )
}
