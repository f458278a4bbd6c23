//! ListSecretVersionIds.

use crate::SecretsManagerService;
use crate::paging;
use crate::shapes::{ListSecretVersionIdsRequest, ListSecretVersionIdsResponse, SecretVersionsListEntry};
use aws_wire::{RequestContext, ServiceError};

/// What AWS shows for the key that is used when none is named.
const DEFAULT_KEY: &str = "DefaultEncryptionKey";

pub(crate) async fn run(
    service: &SecretsManagerService,
    context: &RequestContext,
    input: ListSecretVersionIdsRequest,
) -> Result<ListSecretVersionIdsResponse, ServiceError> {
    let secret = service.require(context, &input.secret_id).await?;
    let deprecated = input.include_deprecated == Some(true);
    let scope = format!("versions {deprecated} {}", secret.id);
    let page = paging::request(input.next_token.as_deref(), input.max_results, scope)?;
    let key = secret.kms_key_id.clone().unwrap_or_else(|| DEFAULT_KEY.to_owned());
    let versions = secret.versions.iter().filter(|version| deprecated || !version.stages.is_empty());
    let mut placed: Vec<_> = versions
        .map(|version| {
            let entry = SecretVersionsListEntry {
                version_id: Some(version.id.clone()),
                version_stages: Some(version.stages.clone()).filter(|stages| !stages.is_empty()),
                created_date: Some(version.created_at),
                kms_key_ids: Some(vec![key.clone()]),
                ..SecretVersionsListEntry::default()
            };
            (format!("{:020} {}", version.created_at.as_millis(), version.id), entry)
        })
        .collect();
    placed.sort_by(|(a, _), (b, _)| a.cmp(b));
    let (versions, next_token) = page.cut_placed(placed);
    Ok(ListSecretVersionIdsResponse {
        versions: Some(versions),
        next_token,
        arn: Some(secret.arn()),
        name: Some(secret.name.clone()),
    })
}
