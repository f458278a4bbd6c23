//! DeleteSecret.

use crate::SecretsManagerService;
use crate::errors::{invalid_parameter, invalid_request, store};
use crate::shapes::{DeleteSecretRequest, DeleteSecretResponse, errors};
use aws_wire::{RequestContext, ServiceError};
use resources::secrets::{Deletion, Secret, SecretVersion};
use std::time::Duration;
use store::StoreError;

/// Days in which a secret can be restored, when the request does not say.
const USUAL_DAYS: i64 = 30;
const DAY: Duration = Duration::from_secs(24 * 3600);

pub(crate) async fn run(
    service: &SecretsManagerService,
    context: &RequestContext,
    input: DeleteSecretRequest,
) -> Result<DeleteSecretResponse, ServiceError> {
    let days = input.recovery_window_in_days;
    let force = input.force_delete_without_recovery == Some(true);
    if days.is_some_and(|days| !(7..=30).contains(&days)) {
        return Err(invalid_parameter(
            "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
        ));
    }
    if force && days.is_some() {
        return Err(invalid_parameter(
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
        ));
    }
    loop {
        let done = if force {
            delete_now(service, context, &input.secret_id).await?
        } else {
            mark(service, context, &input.secret_id, days.unwrap_or(USUAL_DAYS)).await?
        };
        if let Some(answer) = done {
            return Ok(answer);
        }
    }
}

/// `None` when somebody else was faster.
async fn mark(
    service: &SecretsManagerService,
    context: &RequestContext,
    id: &str,
    days: i64,
) -> Result<Option<DeleteSecretResponse>, ServiceError> {
    let old = service.require(context, id).await?;
    if old.deletion.is_some() {
        return Err(invalid_request(
            "You can't perform this operation on the secret because it was already scheduled for deletion.",
        ));
    }
    let due_at = context.time + DAY * u32::try_from(days).unwrap_or_default();
    let mut new = (*old.value).clone();
    new.deletion = Some(Deletion { asked_at: context.time, due_at });
    match service.tables.replace(&old, new).await {
        Ok(new) => Ok(Some(answer(&new, due_at))),
        Err(StoreError::Conflict(_)) => Ok(None),
        Err(error) => Err(store(error)),
    }
}

/// `None` when somebody else was faster.
async fn delete_now(
    service: &SecretsManagerService,
    context: &RequestContext,
    id: &str,
) -> Result<Option<DeleteSecretResponse>, ServiceError> {
    let old = match service.require(context, id).await {
        Ok(old) => old,
        // AWS answers as if it had been there.
        Err(error) if error.shape == &errors::RESOURCE_NOT_FOUND_EXCEPTION => {
            return Ok(Some(DeleteSecretResponse {
                arn: id.starts_with("arn:").then(|| id.to_owned()),
                name: Some(id.to_owned()),
                deletion_date: Some(context.time),
            }));
        }
        Err(error) => return Err(error),
    };
    let batch = old.versions.iter().fold(service.tables.batch().delete(&old), |batch, version| {
        batch.delete_any::<SecretVersion>(&SecretVersion::key_of(&old.account, &old.id, &version.id))
    });
    match batch.commit().await {
        Ok(_) => Ok(Some(answer(&old, context.time))),
        Err(StoreError::Conflict(_)) => Ok(None),
        Err(error) => Err(store(error)),
    }
}

fn answer(secret: &Secret, date: environment::Timestamp) -> DeleteSecretResponse {
    DeleteSecretResponse {
        arn: Some(secret.arn()),
        name: Some(secret.name.clone()),
        deletion_date: Some(date),
    }
}
