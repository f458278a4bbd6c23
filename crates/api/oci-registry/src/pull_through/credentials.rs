//! Who we are to another registry.

use crate::{Inner, Place, auth};
use registry_client::{
    BasicAuth, LocalRegistry, Reach, Reference, RegistryError as UpstreamError, Repository,
};
use resources::ecr::PullThroughCacheRule;
use resources::secrets::{CURRENT, Secret, SecretVersion};
use serde::Deserialize;
use std::time::Duration;

/// The service that assumes the role of a rule, as its trust policy names it.
const SERVICE: &str = "pullthroughcache.ecr.amazonaws.com";
/// The name of its sessions.
const SESSION: &str = "pull-through-cache";
/// How long a session lasts: a pull.
const LIFE: Duration = Duration::from_secs(3600);

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
    let upstreams = &registry.config.upstreams;
    let own = upstreams.own.as_ref().filter(|own| own.hosts.have(&format!("{host}/{name}")));
    let auth = match (&rule.credential_arn, &rule.custom_role_arn) {
        (Some(arn), _) => Some(login(registry, arn).await.map_err(unusable)?),
        // Another region's registry would not know what to do with a session of this one.
        (None, Some(role)) if own.is_some() => Some(session(registry, place, role).await.map_err(unusable)?),
        (None, _) => None,
    };
    let local_registries = own
        .map(|own| LocalRegistry { host: host.to_owned(), address: own.address, socket: None })
        .into_iter()
        .collect();
    let insecure_hosts = upstreams.insecure_hosts.clone();
    Ok(Repository::new(&reference, &Reach { auth, local_registries, insecure_hosts }))
}

/// A password of this region's registry for the role of a rule.
async fn session(registry: &Inner, place: &Place, role: &str) -> Result<BasicAuth, String> {
    let access = &registry.access;
    let source = auth::arn_of(&registry.config.region, place);
    let made = access.assume_for_service(role, SERVICE, SESSION, LIFE, &source).await;
    let made = made.map_err(|error| error.to_string())?;
    let credential = access.credential(&made.access_key_id, Some(made.session_token.expose())).await;
    let caller = credential.map_err(|_| format!("the session of {role} is not good"))?.caller;
    let token = access.registry_token(&caller).ok_or_else(|| format!("{role} gets no password"))?;
    Ok(BasicAuth { username: auth::USER.to_owned(), password: token.password })
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
