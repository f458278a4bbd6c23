//! Who pushes and pulls: user AWS with a password of GetAuthorizationToken.

use crate::error::RegistryError;
use access::{Access, Caller};
use base64::Engine;
use http::request::Parts;
use identifiers::AccountId;

/// The user name of every registry login.
const USER: &str = "AWS";

/// The account whose registry is meant: the host name begins with it, or it is the region's own.
pub(crate) fn account_of(parts: &Parts, own: &AccountId) -> AccountId {
    let host = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| parts.uri.host()).unwrap_or_default();
    let first = host.split('.').next().unwrap_or_default();
    if host.contains(".dkr.ecr.") { first.parse().unwrap_or_else(|_| own.clone()) } else { own.clone() }
}

/// The caller of a request.
pub(crate) fn caller(access: &Access, parts: &Parts) -> Result<Caller, RegistryError> {
    let header = parts.headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let basic = header.and_then(|header| header.strip_prefix("Basic ")).ok_or(RegistryError::Unauthorized)?;
    let decoded = base64::engine::general_purpose::STANDARD.decode(basic.trim()).ok();
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(RegistryError::Unauthorized)?;
    let (user, password) = text.split_once(':').ok_or(RegistryError::Unauthorized)?;
    let caller = access.registry_caller(password).filter(|_| user == USER);
    caller.ok_or(RegistryError::Unauthorized)
}
