//! Who pushes and pulls, and may they: user AWS with a password of GetAuthorizationToken, and the actions of ECR that a
//! request of the distribution protocol stands for.

use crate::error::RegistryError;
use crate::route::{self, Query, Resource};
use crate::{Inner, Place, public, replication};
use access::{Access, Asked, Caller, CallerKind, NotAllowed, RequestFacts};
use base64::Engine;
use http::Method;
use http::request::Parts;
use identifiers::{AccountId, Arn, Region};
use resources::ecr::{Repository, given_name};
use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The user name of every registry login.
pub(crate) const USER: &str = "AWS";

/// The account whose registry is meant: the host name begins with it, or it is the region's own.
pub(crate) fn account_of(parts: &Parts, own: &AccountId) -> AccountId {
    let host = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| parts.uri.host()).unwrap_or_default();
    let first = host.split('.').next().unwrap_or_default();
    if host.contains(".dkr.ecr.") { first.parse().unwrap_or_else(|_| own.clone()) } else { own.clone() }
}

/// The caller of a request.
pub(crate) async fn caller(access: &Access, parts: &Parts) -> Result<Caller, RegistryError> {
    let (user, password) = login(parts).ok_or(RegistryError::Unauthorized)?;
    if user != USER {
        return Err(RegistryError::Unauthorized);
    }
    access.registry_caller(&password).await?.ok_or(RegistryError::Unauthorized)
}

/// What a request says after a scheme of authentication.
pub(crate) fn after_scheme<'p>(parts: &'p Parts, scheme: &str) -> Option<&'p str> {
    let header = parts.headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
    let (name, rest) = header.split_once(' ')?;
    name.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// The user and the password of a request.
pub(crate) fn login(parts: &Parts) -> Option<(String, String)> {
    let decoded = base64::engine::general_purpose::STANDARD.decode(after_scheme(parts, "Basic")?).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// Allows a request on a repository with everything that ECR would check for it.
pub(crate) async fn authorize(
    inner: &Inner,
    caller: &Caller,
    place: &Place,
    (resource, query): (&Resource, &Query),
    (parts, found): (&Parts, Option<&Repository>),
) -> Result<(), RegistryError> {
    if public::is_public(place) && route::reads(&parts.method) {
        return Ok(());
    }
    let mut actions = if replication::is_copy(parts) {
        replication::ACTIONS.to_vec()
    } else {
        actions(resource, &parts.method, query).to_vec()
    };
    if found.is_none() && inner.creates(parts) && !public::is_public(place) {
        actions.push("ecr:CreateRepository");
    }
    check(inner, caller, place, &actions, (parts, found)).await
}

/// Whether a blob of a repository may be read, and so mounted from it.
pub(crate) async fn may_read(
    inner: &Inner,
    caller: &Caller,
    place: &Place,
    parts: &Parts,
) -> Result<bool, RegistryError> {
    if public::is_public(place) {
        return Ok(true);
    }
    let actions = ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer"];
    allows(inner, caller, place, &actions, parts).await
}

/// Whether these actions on a repository that is there are allowed.
pub(crate) async fn allows(
    inner: &Inner,
    caller: &Caller,
    place: &Place,
    actions: &[&str],
    parts: &Parts,
) -> Result<bool, RegistryError> {
    let key = format!("{}/{}", place.account, place.name);
    let Some(found) = inner.tables.get::<Repository>(&key).await? else { return Ok(false) };
    match check(inner, caller, place, actions, (parts, Some(&found))).await {
        Ok(()) => Ok(true),
        Err(RegistryError::Denied(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Allows actions on a repository, which need not be there.
pub(crate) async fn check(
    inner: &Inner,
    caller: &Caller,
    place: &Place,
    actions: &[&str],
    (parts, found): (&Parts, Option<&Repository>),
) -> Result<(), RegistryError> {
    if caller.kind == CallerKind::Anonymous {
        return Err(RegistryError::Denied(
            "log in to do this; without a login images can be pulled".to_owned(),
        ));
    }
    let public = public::is_public(place);
    let repository = arn_of(&inner.config.region, place);
    let prefix = if public { "ecr-public" } else { "ecr" };
    let mut conditions: Vec<(Cow<'static, str>, Vec<String>)> = Vec::new();
    for (key, value) in found.iter().flat_map(|found| &found.tags) {
        conditions.push((format!("aws:ResourceTag/{key}").into(), vec![value.clone()]));
        conditions.push((format!("{prefix}:ResourceTag/{key}").into(), vec![value.clone()]));
    }
    let policy = if public {
        found.and_then(|found| found.policy.as_deref()).map(Into::into)
    } else {
        inner.images.policy_of(&place.account, found).await?
    };
    let resource_policy = policy.as_deref();
    let actions: Vec<Cow<'_, str>> = actions.iter().map(|action| in_registry(action, public)).collect();
    let asked: Vec<Asked<'_>> = actions
        .iter()
        .map(|action| Asked { conditions: &conditions, resource_policy, ..Asked::new(action, &repository) })
        .collect();
    let agent = parts.headers.get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let peer = parts.extensions.get::<SocketAddr>();
    let facts = RequestFacts {
        time: inner.tables.environment().now(),
        source_ip: peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), SocketAddr::ip),
        region: inner.config.region.as_str(),
        user_agent: agent,
        secure_transport: false,
    };
    inner.access.authorize(caller, &asked, &facts).await.map_err(|error| match error {
        NotAllowed::Denied(denied) => RegistryError::Denied(denied.message),
        NotAllowed::Failed(error) => RegistryError::Internal(error.into()),
    })
}

/// The ARN of a repository. Public ones have no region.
pub(crate) fn arn_of(region: &Region, place: &Place) -> String {
    let path = format!("repository/{}", given_name(&place.name));
    if public::is_public(place) {
        Arn::new("ecr-public", "", &place.account, path).to_string()
    } else {
        Arn::new("ecr", region, &place.account, path).to_string()
    }
}

/// An action as the registry in question calls it.
fn in_registry(action: &str, public: bool) -> Cow<'_, str> {
    match action.strip_prefix("ecr:").filter(|_| public) {
        Some(name) => format!("ecr-public:{name}").into(),
        None => action.into(),
    }
}

/// The actions of ECR that a request stands for.
pub(crate) fn actions(resource: &Resource, method: &Method, query: &Query) -> &'static [&'static str] {
    let reads = route::reads(method);
    match resource {
        // Whoever has a login may ask; each repository of the catalogue is allowed by itself.
        Resource::Base | Resource::Catalog => &[],
        Resource::Tags => &["ecr:ListImages"],
        Resource::Referrers(_) => &["ecr:BatchGetImage"],
        Resource::Manifest(_) if reads => &["ecr:BatchGetImage"],
        Resource::Manifest(_) if *method == Method::DELETE => &["ecr:BatchDeleteImage"],
        Resource::Manifest(_) => &["ecr:PutImage"],
        Resource::Blob(_) if *method == Method::HEAD => &["ecr:BatchCheckLayerAvailability"],
        Resource::Blob(_) if reads => &["ecr:GetDownloadUrlForLayer"],
        Resource::Blob(_) => &["ecr:BatchDeleteImage"],
        // An upload in one request.
        Resource::Uploads if query.contains_key("digest") => {
            &["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"]
        }
        Resource::Uploads => &["ecr:InitiateLayerUpload"],
        Resource::Upload(_) if *method == Method::PUT => &["ecr:CompleteLayerUpload"],
        Resource::Upload(_) => &["ecr:UploadLayerPart"],
    }
}
