//! UpdateSecret.

use crate::SecretsManagerService;
use crate::errors::invalid_parameter;
use crate::operations::create_secret::key_id;
use crate::shapes::{UpdateSecretRequest, UpdateSecretResponse};
use crate::values::{NewVersion, Value};
use aws_wire::{RequestContext, ServiceError};
use resources::secrets::{CURRENT, Secret};

pub(crate) async fn run(
    service: &SecretsManagerService,
    context: &RequestContext,
    input: UpdateSecretRequest,
) -> Result<UpdateSecretResponse, ServiceError> {
    let value = Value::of(input.secret_string, input.secret_binary)?;
    if input.r#type.is_some_and(|kind| !kind.is_empty()) {
        return Err(invalid_parameter("This region manages no external secrets; leave Type out."));
    }
    let edit = |secret: &mut Secret| {
        if let Some(description) = &input.description {
            secret.description = Some(description.clone()).filter(|text| !text.is_empty());
        }
        if input.kms_key_id.is_some() {
            secret.kms_key_id = key_id(input.kms_key_id.clone());
        }
    };
    let (secret, version_id) = if let Some(value) = &value {
        let stages = vec![CURRENT.to_owned()];
        let wanted = NewVersion { token: input.client_request_token, value, stages };
        let (secret, id) = service.add_version(context, &input.secret_id, wanted, edit).await?;
        (secret, Some(id))
    } else {
        let changed = service.change(context, &input.secret_id, |secret| {
            edit(secret);
            Ok(())
        });
        (changed.await?, None)
    };
    Ok(UpdateSecretResponse { arn: Some(secret.arn()), name: Some(secret.name.clone()), version_id })
}
