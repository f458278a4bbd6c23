//! GetSecretValue: with BatchGetSecretValue the only way to what a secret holds.

use crate::SecretsManagerService;
use crate::shapes::{GetSecretValueRequest, GetSecretValueResponse};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &SecretsManagerService,
    context: &RequestContext,
    input: GetSecretValueRequest,
) -> Result<GetSecretValueResponse, ServiceError> {
    let secret = service.require_usable(context, &input.secret_id).await?;
    let picked = service.pick(&secret, input.version_id.as_deref(), input.version_stage.as_deref());
    let (version, value) = picked.await?;
    let (secret_string, secret_binary) = value.into_parts();
    Ok(GetSecretValueResponse {
        arn: Some(secret.arn()),
        name: Some(secret.name.clone()),
        version_id: Some(version.id),
        version_stages: Some(version.stages).filter(|stages| !stages.is_empty()),
        created_date: Some(version.created_at),
        secret_string,
        secret_binary,
    })
}
