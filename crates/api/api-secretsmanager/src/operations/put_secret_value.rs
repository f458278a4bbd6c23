//! PutSecretValue.

use crate::SecretsManagerService;
use crate::errors::invalid_request;
use crate::shapes::{PutSecretValueRequest, PutSecretValueResponse};
use crate::values::{NewVersion, Value};
use aws_wire::{RequestContext, ServiceError};
use resources::secrets::CURRENT;

pub(crate) async fn run(
    service: &SecretsManagerService,
    context: &RequestContext,
    input: PutSecretValueRequest,
) -> Result<PutSecretValueResponse, ServiceError> {
    let Some(value) = Value::of(input.secret_string, input.secret_binary)? else {
        return Err(invalid_request("You must provide either SecretString or SecretBinary."));
    };
    let stages = input.version_stages.unwrap_or_else(|| vec![CURRENT.to_owned()]);
    let wanted = NewVersion { token: input.client_request_token, value: &value, stages };
    let (secret, id) = service.add_version(context, &input.secret_id, wanted, |_| {}).await?;
    Ok(PutSecretValueResponse {
        arn: Some(secret.arn()),
        name: Some(secret.name.clone()),
        version_stages: secret.version(&id).map(|version| version.stages.clone()),
        version_id: Some(id),
    })
}
