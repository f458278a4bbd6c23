//! ValidateResourcePolicy.

use crate::SecretsManagerService;
use crate::policy;
use crate::shapes::{ValidateResourcePolicyRequest, ValidateResourcePolicyResponse, ValidationErrorsEntry};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &SecretsManagerService,
    context: &RequestContext,
    input: ValidateResourcePolicyRequest,
) -> Result<ValidateResourcePolicyResponse, ServiceError> {
    if let Some(id) = &input.secret_id {
        service.require_usable(context, id).await?;
    }
    service.bound_policy(context, &input.resource_policy).await?;
    let errors: Vec<_> = policy::check_not_public(&input.resource_policy)
        .err()
        .into_iter()
        .map(|error| ValidationErrorsEntry {
            check_name: Some("BLOCK_PUBLIC_ACCESS".to_owned()),
            error_message: Some(error.message.into_owned()),
        })
        .collect();
    Ok(ValidateResourcePolicyResponse {
        policy_validation_passed: Some(errors.is_empty()),
        validation_errors: Some(errors),
    })
}
