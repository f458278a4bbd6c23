//! UpdateSecretVersionStage.

use crate::SecretsManagerService;
use crate::errors::invalid_parameter;
use crate::shapes::{UpdateSecretVersionStageRequest, UpdateSecretVersionStageResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::secrets::{CURRENT, Secret};

/// Most stages of a version.
const MOST_STAGES: usize = 20;

pub(crate) async fn run(
    service: &SecretsManagerService,
    context: &RequestContext,
    input: UpdateSecretVersionStageRequest,
) -> Result<UpdateSecretVersionStageResponse, ServiceError> {
    let secret = service.change(context, &input.secret_id, |secret| edit(secret, &input)).await?;
    Ok(UpdateSecretVersionStageResponse { arn: Some(secret.arn()), name: Some(secret.name.clone()) })
}

fn edit(secret: &mut Secret, input: &UpdateSecretVersionStageRequest) -> Result<(), ServiceError> {
    let (stage, from, to) = (
        input.version_stage.as_str(),
        input.remove_from_version_id.as_deref(),
        input.move_to_version_id.as_deref(),
    );
    for id in [from, to].into_iter().flatten() {
        if secret.version(id).is_none() {
            return Err(invalid_parameter(format!("Not a valid version: {id}")));
        }
    }
    let holder = secret.staged(stage).map(|version| version.id.clone());
    match (&holder, from) {
        (Some(holder), None) if to.is_some_and(|to| to != holder) => {
            return Err(invalid_parameter(format!(
                "The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to \
                 version {holder}, so you must explicitly reference that version in RemoveFromVersionId."
            )));
        }
        (holder, Some(from)) if holder.as_deref() != Some(from) => {
            return Err(invalid_parameter(format!("Version stage {stage} not found in version {from}")));
        }
        _ => {}
    }
    if to.is_none() && from.is_none() {
        return Err(invalid_parameter("You must provide MoveToVersionId or RemoveFromVersionId."));
    }
    if to.is_none() && stage == CURRENT {
        return Err(invalid_parameter(
            "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.",
        ));
    }
    let full = |id| secret.version(id).is_some_and(|version| version.stages.len() >= MOST_STAGES);
    if to.is_some_and(|to| holder.as_deref() != Some(to) && full(to)) {
        return Err(invalid_parameter("A version can have at most 20 staging labels."));
    }
    secret.move_stage(stage, to);
    Ok(())
}
