//! RestoreSecret.

use crate::SecretsManagerService;
use crate::errors::store;
use crate::shapes::{RestoreSecretRequest, RestoreSecretResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::secrets::Secret;
use store::StoreError;

pub(crate) async fn run(
    service: &SecretsManagerService,
    context: &RequestContext,
    input: RestoreSecretRequest,
) -> Result<RestoreSecretResponse, ServiceError> {
    loop {
        let old = service.require(context, &input.secret_id).await?;
        if old.deletion.is_none() {
            return Ok(answer(&old));
        }
        let mut new = (*old.value).clone();
        new.deletion = None;
        match service.tables.replace(&old, new).await {
            Ok(new) => return Ok(answer(&new)),
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(store(error)),
        }
    }
}

fn answer(secret: &Secret) -> RestoreSecretResponse {
    RestoreSecretResponse { arn: Some(secret.arn()), name: Some(secret.name.clone()) }
}
