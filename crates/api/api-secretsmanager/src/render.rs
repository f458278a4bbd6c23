//! Secrets as the API shows them, without what they hold.

use crate::rotation;
use crate::shapes::{DescribeSecretResponse, SecretListEntry};
use crate::tags::shown;
use resources::secrets::Secret;
use std::collections::BTreeMap;

/// The answer of DescribeSecret.
pub(crate) fn described(secret: &Secret) -> DescribeSecretResponse {
    let rotation = secret.rotation.as_ref();
    DescribeSecretResponse {
        arn: Some(secret.arn()),
        name: Some(secret.name.clone()),
        description: secret.description.clone(),
        kms_key_id: secret.kms_key_id.clone(),
        rotation_enabled: rotation.map(|rotation| rotation.enabled),
        rotation_lambda_arn: rotation.and_then(|rotation| rotation.lambda_arn.clone()),
        rotation_rules: rotation.and_then(rotation::rules),
        last_rotated_date: rotation.and_then(|rotation| rotation.last_rotated_at),
        last_changed_date: Some(secret.changed_at),
        deleted_date: secret.deletion.map(|deletion| deletion.asked_at),
        next_rotation_date: rotation::next(secret),
        tags: secret.tags.as_deref().map(shown),
        version_ids_to_stages: staged(secret),
        created_date: Some(secret.created_at),
        ..DescribeSecretResponse::default()
    }
}

/// An item of ListSecrets.
pub(crate) fn listed(secret: &Secret) -> SecretListEntry {
    let shown = described(secret);
    SecretListEntry {
        arn: shown.arn,
        name: shown.name,
        description: shown.description,
        kms_key_id: shown.kms_key_id,
        rotation_enabled: shown.rotation_enabled,
        rotation_lambda_arn: shown.rotation_lambda_arn,
        rotation_rules: shown.rotation_rules,
        last_rotated_date: shown.last_rotated_date,
        last_changed_date: shown.last_changed_date,
        deleted_date: shown.deleted_date,
        next_rotation_date: shown.next_rotation_date,
        tags: shown.tags,
        secret_versions_to_stages: shown.version_ids_to_stages,
        created_date: shown.created_date,
        ..SecretListEntry::default()
    }
}

/// The stages of versions that have any; `None` when the secret never had a value.
fn staged(secret: &Secret) -> Option<BTreeMap<String, Vec<String>>> {
    let staged = secret.versions.iter().filter(|version| !version.stages.is_empty());
    let staged: BTreeMap<_, _> = staged.map(|version| (version.id.clone(), version.stages.clone())).collect();
    (!staged.is_empty()).then_some(staged)
}
