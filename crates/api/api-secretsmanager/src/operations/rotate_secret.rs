//! RotateSecret: keeps the books of a rotation. The region runs no functions, so nothing is invoked: who rotates the
//! secret puts the value of the pending version and then makes it current.

use crate::SecretsManagerService;
use crate::errors::{invalid_parameter, invalid_request};
use crate::rotation;
use crate::shapes::{RotateSecretRequest, RotateSecretResponse};
use crate::values::stage_version;
use aws_wire::{RequestContext, ServiceError};
use resources::secrets::{CURRENT, PENDING, Secret};

pub(crate) async fn run(
    service: &SecretsManagerService,
    context: &RequestContext,
    input: RotateSecretRequest,
) -> Result<RotateSecretResponse, ServiceError> {
    if input.external_secret_rotation_metadata.is_some() || input.external_secret_rotation_role_arn.is_some()
    {
        return Err(invalid_parameter("This region manages no external secrets."));
    }
    let version = input.client_request_token.clone().unwrap_or_else(|| service.tables.environment().uuid());
    let edit = |secret: &mut Secret| edit(secret, context, &input, &version);
    let secret = service.change(context, &input.secret_id, edit).await?;
    Ok(RotateSecretResponse {
        arn: Some(secret.arn()),
        name: Some(secret.name.clone()),
        version_id: secret.version(&version).map(|version| version.id.clone()),
    })
}

fn edit(
    secret: &mut Secret,
    context: &RequestContext,
    input: &RotateSecretRequest,
    version: &str,
) -> Result<(), ServiceError> {
    if secret.version(version).is_some_and(|known| known.stages.iter().any(|stage| stage == PENDING)) {
        // The same request again.
        return Ok(());
    }
    let mut rotation = secret.rotation.clone().unwrap_or_default();
    if let Some(arn) = input.rotation_lambda_arn.as_ref().filter(|arn| !arn.is_empty()) {
        rotation.lambda_arn = Some(arn.clone());
    }
    if rotation.lambda_arn.is_none() {
        return Err(invalid_request("No Lambda rotation function ARN is associated with this secret."));
    }
    if let Some(rules) = &input.rotation_rules {
        rotation::set_rules(&mut rotation, rules.clone())?;
    }
    rotation.enabled = true;
    let pending = secret.staged(PENDING).map(|pending| pending.stages.iter().any(|stage| stage == CURRENT));
    if pending == Some(false) {
        return Err(invalid_request(
            "A previous rotation isn't complete. That rotation will be reattempted.",
        ));
    }
    if input.rotate_immediately != Some(false) {
        if secret.staged(CURRENT).is_none() {
            return Err(invalid_request("You can't rotate a secret that has no value."));
        }
        rotation.last_rotated_at = Some(context.time);
        // A pending version without value is no reason to drop another's value: the books alone change here.
        stage_version(secret, version, vec![PENDING.to_owned()], context.time)?;
    }
    secret.rotation = Some(rotation);
    Ok(())
}
