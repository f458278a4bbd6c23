//! UnlabelParameterVersion.

use crate::SsmService;
use crate::errors::{no_version, store, too_many_updates};
use crate::names;
use crate::shapes::{UnlabelParameterVersionRequest, UnlabelParameterVersionResult};
use aws_wire::{RequestContext, ServiceError};
use store::StoreError;

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: UnlabelParameterVersionRequest,
) -> Result<UnlabelParameterVersionResult, ServiceError> {
    let asked = names::asked(context, &input.name)?;
    let old = service.require(context, asked.name).await?;
    let version = input.parameter_version;
    if !(old.oldest..=old.newest.version).contains(&version) {
        return Err(no_version(&input.name, version));
    }
    let (removed, invalid): (Vec<_>, Vec<_>) =
        input.labels.into_iter().partition(|label| old.labels.get(label) == Some(&version));
    let mut new = (*old.value).clone();
    new.labels.retain(|label, _| !removed.contains(label));
    match service.tables.replace(&old, new).await {
        Ok(_) => {
            Ok(UnlabelParameterVersionResult { removed_labels: Some(removed), invalid_labels: Some(invalid) })
        }
        Err(StoreError::Conflict(_)) => Err(too_many_updates()),
        Err(error) => Err(store(error)),
    }
}
