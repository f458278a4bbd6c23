//! Requests by which another region copies images to this one: pushes that are allowed by `ecr:ReplicateImage`, make their
//! repository by its template, and are not copied on.

use crate::error::RegistryError;
use http::Method;
use http::request::Parts;
use identifiers::AccountId;

/// The header of such requests. It names the account that is copied to.
pub const REPLICATE_TO: &str = "longshore-replicate-to";

/// What such a request needs.
pub(crate) const ACTIONS: [&str; 1] = ["ecr:ReplicateImage"];

/// The account that a request copies to; `None` for all other requests.
pub(crate) fn target(parts: &Parts) -> Result<Option<AccountId>, RegistryError> {
    let Some(value) = parts.headers.get(REPLICATE_TO) else { return Ok(None) };
    if !matches!(parts.method, Method::HEAD | Method::POST | Method::PATCH | Method::PUT) {
        return Err(RegistryError::Unsupported);
    }
    let account = value.to_str().ok().and_then(|text| text.parse().ok());
    account.map(Some).ok_or_else(|| RegistryError::Denied(format!("{REPLICATE_TO} names no account")))
}

/// Whether a request copies from another region.
pub(crate) fn is_copy(parts: &Parts) -> bool {
    parts.headers.contains_key(REPLICATE_TO)
}
