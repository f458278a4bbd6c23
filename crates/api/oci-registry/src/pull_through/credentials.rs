//! Who we are to another registry.

use crate::{Inner, Place};
use registry_client::{BasicAuth, Reach, Reference, RegistryError as UpstreamError, Repository};
use resources::ecr::PullThroughCacheRule;
use resources::secrets::{CURRENT, Secret, SecretVersion};
use serde::Deserialize;

/// What the secret of a rule holds.
#[derive(Deserialize)]
struct Login {
    username: String,
    #[serde(rename = "accessToken")]
    access_token: String,
}

/// The repository in the other registry, with the credentials of the rule.
pub(super) async fn upstream(
    registry: &Inner,
    place: &Place,
    rule: &PullThroughCacheRule,
) -> Result<Repository, UpstreamError> {
    let unusable = |reason: String| UpstreamError::Protocol { url: rule.upstream_url.clone(), reason };
    let name = rule.upstream_name(&place.name).unwrap_or_else(|| place.name.clone());
    let host = rule.upstream_url.trim_start_matches("https://").trim_end_matches('/');
    let reference: Reference =
        format!("{host}/{name}").parse().map_err(|error| unusable(format!("{error}")))?;
    let auth = match &rule.credential_arn {
        Some(arn) => Some(login(registry, arn).await.map_err(unusable)?),
        None => None,
    };
    let insecure_hosts = registry.config.upstreams.insecure_hosts.clone();
    Ok(Repository::new(&reference, &Reach { auth, local_registries: vec![], insecure_hosts }))
}

async fn login(registry: &Inner, arn: &str) -> Result<BasicAuth, String> {
    let keys = registry.config.upstreams.keys.as_ref().ok_or("the rule's credentials cannot be read here")?;
    let missing = || format!("there is no secret {arn}");
    let parts: Vec<&str> = arn.splitn(7, ':').collect();
    let [_, _, _, region, account, _, name] = parts.as_slice() else { return Err(missing()) };
    let (name, _suffix) = name.rsplit_once('-').ok_or_else(missing)?;
    let failed = |error: store::StoreError| error.to_string();
    let secret = registry.tables.get::<Secret>(&Secret::key_of(account, region, name)).await;
    let secret = secret.map_err(failed)?.filter(|secret| secret.arn() == arn && secret.deletion.is_none());
    let secret = secret.ok_or_else(missing)?;
    let current = secret.staged(CURRENT).ok_or_else(missing)?;
    let key = SecretVersion::key_of(account, &secret.id, &current.id);
    let version = registry.tables.get::<SecretVersion>(&key).await.map_err(failed)?.ok_or_else(missing)?;
    let purpose = SecretVersion::purpose_of(account, &secret.id, &current.id);
    let opened = keys.open(&purpose, version.sealed.as_str());
    let opened = opened.map_err(|_| "the rule's secret cannot be opened".to_owned())?;
    let login: Login = serde_json::from_slice(&opened)
        .map_err(|_| "the rule's secret holds no username and accessToken".to_owned())?;
    Ok(BasicAuth { username: login.username, password: login.access_token })
}
