//! GetResourcePolicy.

use crate::SecretsManagerService;
use crate::errors::store;
use crate::shapes::{GetResourcePolicyRequest, GetResourcePolicyResponse};
use access::show_principals;
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &SecretsManagerService,
    context: &RequestContext,
    input: GetResourcePolicyRequest,
) -> Result<GetResourcePolicyResponse, ServiceError> {
    let secret = service.require_usable(context, &input.secret_id).await?;
    let resource_policy = match &secret.policy {
        Some(policy) => Some(show_principals(&service.tables, policy).await.map_err(store)?),
        None => None,
    };
    Ok(GetResourcePolicyResponse {
        arn: Some(secret.arn()),
        name: Some(secret.name.clone()),
        resource_policy,
    })
}
