//! LabelParameterVersion.

use crate::SsmService;
use crate::errors::{no_version, store, too_many_updates};
use crate::names;
use crate::shapes::{LabelParameterVersionRequest, LabelParameterVersionResult, errors};
use aws_wire::{RequestContext, ServiceError};
use store::StoreError;

/// Most labels of a version.
const MOST_LABELS: usize = 10;

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: LabelParameterVersionRequest,
) -> Result<LabelParameterVersionResult, ServiceError> {
    let asked = names::asked(context, &input.name)?;
    let old = service.require(context, asked.name).await?;
    let version = input.parameter_version.unwrap_or(old.newest.version);
    if !(old.oldest..=old.newest.version).contains(&version) {
        return Err(no_version(&input.name, version));
    }
    let (good, invalid): (Vec<_>, Vec<_>) = input.labels.into_iter().partition(|label| is_label(label));
    let mut new = (*old.value).clone();
    for label in good {
        // A label that another version has moves here.
        new.labels.insert(label, version);
    }
    if new.labels_of(version).len() > MOST_LABELS {
        return Err(ServiceError::new(
            &errors::PARAMETER_VERSION_LABEL_LIMIT_EXCEEDED,
            "A parameter version can have maximum 10 labels. Move one or more labels to another version and try again.",
        ));
    }
    match service.tables.replace(&old, new).await {
        Ok(_) => Ok(LabelParameterVersionResult {
            invalid_labels: Some(invalid),
            parameter_version: Some(version),
        }),
        Err(StoreError::Conflict(_)) => Err(too_many_updates()),
        Err(error) => Err(store(error)),
    }
}

/// Letters, digits and `.-_`; begins with no digit, and not with what AWS keeps for itself.
fn is_label(label: &str) -> bool {
    let lower = label.to_ascii_lowercase();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !label.starts_with(|first: char| first.is_ascii_digit())
        && !lower.starts_with("aws")
        && !lower.starts_with("ssm")
        && label.bytes().all(allowed)
}
