//! The public registry: everybody pulls, who logs in pushes.
//!
//! Its own host asks for a token, as `public.ecr.aws` does, and gives one to everybody who asks for it. Where names below
//! `localhost` do not resolve it has a path of the private registry's host, too; there whoever shows nobody just reads.

use crate::error::RegistryError;
use crate::respond::{Response, json};
use crate::{Place, auth, route};
use access::{Access, Caller, PUBLIC_TOKEN_LIFE};
use http::StatusCode;
use http::request::Parts;
use resources::ecr::{PUBLIC_PATH, account_of_alias, given_name, public_name};
use serde_json::json;

/// Where tokens are given out. No repository has a name that begins so.
pub(crate) const TOKEN_PATH: &str = "/v2/_token";
/// What the host's own name begins with.
const HOST: &str = "public.ecr.";

/// How a client names the public registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// By a host of its own: `public.ecr.localhost:4566/ALIAS/NAME`.
    Host,
    /// By a path: `localhost:4566/public--ecr/ALIAS/NAME`.
    Path,
}

/// Whether a request is for the public registry.
pub(crate) fn door(parts: &Parts) -> Option<Door> {
    let path = parts.uri.path();
    door_of(parts, path.strip_prefix("/v2/").unwrap_or(path))
}

/// Whether a name in a request is one of the public registry.
pub(crate) fn door_of(parts: &Parts, name: &str) -> Option<Door> {
    if host(parts).starts_with(HOST) {
        Some(Door::Host)
    } else if name.split('/').next() == Some(PUBLIC_PATH) {
        Some(Door::Path)
    } else {
        None
    }
}

fn host(parts: &Parts) -> &str {
    let host = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str)).unwrap_or_default()
}

/// The repository of a name such as `ALIAS/NAME`.
pub(crate) fn place(door: Door, path: String) -> Result<Place, RegistryError> {
    let rest = match door {
        Door::Host => Some(path.as_str()),
        Door::Path => path.strip_prefix(PUBLIC_PATH).and_then(|rest| rest.strip_prefix('/')),
    };
    let named = rest.and_then(|rest| rest.split_once('/'));
    let found = named.and_then(|(alias, name)| Some((account_of_alias(alias)?, public_name(name))));
    match found {
        Some((account, name)) => Ok(Place { account, name, path }),
        None => Err(RegistryError::NameUnknown(path)),
    }
}

/// Whether everybody may pull from a repository.
pub(crate) fn is_public(place: &Place) -> bool {
    given_name(&place.name).len() != place.name.len()
}

/// The caller of a request: with a token of [`token`], with a password of GetAuthorizationToken, or nobody.
pub(crate) async fn caller(access: &Access, door: Door, parts: &Parts) -> Result<Caller, RegistryError> {
    let wanted = || match door {
        Door::Host => RegistryError::TokenWanted(format!("http://{}{TOKEN_PATH}", named(host(parts)))),
        Door::Path => RegistryError::Unauthorized,
    };
    if let Some(token) = auth::after_scheme(parts, "Bearer") {
        if access.is_public_token(token) {
            return Ok(Caller::anonymous());
        }
        return access.registry_caller(token).await?.ok_or_else(wanted);
    }
    if !shows_nobody(parts) {
        return auth::caller(access, parts).await.map_err(|error| match error {
            RegistryError::Unauthorized => wanted(),
            error => error,
        });
    }
    if door == Door::Path && route::reads(&parts.method) { Ok(Caller::anonymous()) } else { Err(wanted()) }
}

/// Whether a request has no credentials, or the empty ones that some clients send instead.
fn shows_nobody(parts: &Parts) -> bool {
    !parts.headers.contains_key(http::header::AUTHORIZATION)
        || auth::login(parts).is_some_and(|(user, password)| user.is_empty() && password.is_empty())
}

/// A token for whoever asks: to pull with, and for those who log in to do what they may.
pub(crate) async fn token(access: &Access, parts: &Parts) -> Result<Response, RegistryError> {
    if !route::reads(&parts.method) {
        return Err(RegistryError::Unsupported);
    }
    let token = if shows_nobody(parts) {
        access.public_token()
    } else {
        auth::caller(access, parts).await?;
        // A password tells by itself who was given it and until when.
        auth::login(parts).map(|(_, password)| password).ok_or(RegistryError::Unauthorized)?
    };
    let life = PUBLIC_TOKEN_LIFE.as_secs();
    Ok(json(StatusCode::OK, &json!({"token": token, "access_token": token, "expires_in": life})))
}

/// A host that may stand in a quoted text.
fn named(host: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte);
    if host.bytes().all(plain) { host } else { "localhost" }
}
