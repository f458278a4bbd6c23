//! PutResourcePolicy.

use crate::SecretsManagerService;
use crate::policy;
use crate::shapes::{PutResourcePolicyRequest, PutResourcePolicyResponse};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &SecretsManagerService,
    context: &RequestContext,
    input: PutResourcePolicyRequest,
) -> Result<PutResourcePolicyResponse, ServiceError> {
    service.require_usable(context, &input.secret_id).await?;
    let bound = service.bound_policy(context, &input.resource_policy).await?;
    if input.block_public_policy == Some(true) {
        policy::check_not_public(&input.resource_policy)?;
    }
    let changed = service.change(context, &input.secret_id, |secret| {
        secret.policy = Some(bound.clone());
        Ok(())
    });
    let secret = changed.await?;
    Ok(PutResourcePolicyResponse { arn: Some(secret.arn()), name: Some(secret.name.clone()) })
}
