//! DeleteResourcePolicy.

use crate::SecretsManagerService;
use crate::shapes::{DeleteResourcePolicyRequest, DeleteResourcePolicyResponse};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &SecretsManagerService,
    context: &RequestContext,
    input: DeleteResourcePolicyRequest,
) -> Result<DeleteResourcePolicyResponse, ServiceError> {
    let changed = service.change(context, &input.secret_id, |secret| {
        secret.policy = None;
        Ok(())
    });
    let secret = changed.await?;
    Ok(DeleteResourcePolicyResponse { arn: Some(secret.arn()), name: Some(secret.name.clone()) })
}
