//! CancelRotateSecret.

use crate::SecretsManagerService;
use crate::errors::invalid_request;
use crate::shapes::{CancelRotateSecretRequest, CancelRotateSecretResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::secrets::PENDING;

pub(crate) async fn run(
    service: &SecretsManagerService,
    context: &RequestContext,
    input: CancelRotateSecretRequest,
) -> Result<CancelRotateSecretResponse, ServiceError> {
    let changed = service.change(context, &input.secret_id, |secret| match &mut secret.rotation {
        Some(rotation) if rotation.lambda_arn.is_some() => {
            rotation.enabled = false;
            Ok(())
        }
        _ => Err(invalid_request(
            "You tried to enable rotation on a secret that doesn't already have a Lambda function ARN configured \
             and you didn't include such an ARN as a parameter in this call.",
        )),
    });
    let secret = changed.await?;
    Ok(CancelRotateSecretResponse {
        arn: Some(secret.arn()),
        name: Some(secret.name.clone()),
        // The version of a rotation that is cut short stays, for its maker to clean up.
        version_id: secret.staged(PENDING).map(|version| version.id.clone()),
    })
}
