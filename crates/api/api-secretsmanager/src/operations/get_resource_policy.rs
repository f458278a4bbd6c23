//! GetResourcePolicy.

use crate::SecretsManagerService;
use crate::shapes::{GetResourcePolicyRequest, GetResourcePolicyResponse};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &SecretsManagerService,
    context: &RequestContext,
    input: GetResourcePolicyRequest,
) -> Result<GetResourcePolicyResponse, ServiceError> {
    let secret = service.require_usable(context, &input.secret_id).await?;
    Ok(GetResourcePolicyResponse {
        arn: Some(secret.arn()),
        name: Some(secret.name.clone()),
        resource_policy: secret.policy.clone(),
    })
}
