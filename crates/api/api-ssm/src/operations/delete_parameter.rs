//! DeleteParameter.

use crate::SsmService;
use crate::errors::{no_parameter, store, too_many_updates};
use crate::names;
use crate::shapes::{DeleteParameterRequest, DeleteParameterResult};
use aws_wire::{RequestContext, ServiceError};
use resources::ssm::ParameterVersion;
use store::StoreError;

/// Attempts to delete a parameter that others write at the same time.
const MOST_ATTEMPTS: usize = 50;

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: DeleteParameterRequest,
) -> Result<DeleteParameterResult, ServiceError> {
    if delete(service, context, &input.name).await? {
        Ok(DeleteParameterResult::default())
    } else {
        Err(no_parameter(&input.name))
    }
}

/// Deletes a parameter with all its versions; `false` when there is none.
pub(crate) async fn delete(
    service: &SsmService,
    context: &RequestContext,
    name: &str,
) -> Result<bool, ServiceError> {
    let Ok(asked) = names::asked(context, name) else { return Ok(false) };
    for _ in 0..MOST_ATTEMPTS {
        let Some(old) = service.find(context, asked.name).await? else { return Ok(false) };
        let versions = old.oldest..=old.newest.version;
        let batch = versions.fold(service.tables.batch().delete(&old), |batch, version| {
            batch.delete_any::<ParameterVersion>(&ParameterVersion::key_of(&old.account, &old.id, version))
        });
        match batch.commit().await {
            Ok(_) => return Ok(true),
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(store(error)),
        }
    }
    Err(too_many_updates())
}
