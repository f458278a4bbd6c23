//! Paths and parameters of the protocol.

use crate::error::RegistryError;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;

/// What a path names.
pub(crate) struct Route {
    /// The repository; `None` for the base path.
    pub(crate) name: Option<String>,
    pub(crate) resource: Resource,
}

pub(crate) enum Resource {
    Tags,
    Referrers(String),
    Manifest(String),
    Blob(String),
    Uploads,
    Upload(String),
}

pub(crate) type Query = BTreeMap<String, String>;

/// Reads a path below `/v2`. Names of repositories have slashes, so it is read from its end.
pub(crate) fn route(path: &str) -> Result<Route, RegistryError> {
    let rest = path.strip_prefix("/v2").ok_or(RegistryError::NoResource)?;
    let rest = rest.strip_prefix('/').unwrap_or(rest);
    if rest.is_empty() {
        return Ok(Route { name: None, resource: Resource::Tags });
    }
    let parts: Vec<&str> = rest.split('/').collect();
    let (name, resource) = match parts.as_slice() {
        [name @ .., "tags", "list"] => (name, Resource::Tags),
        [name @ .., "referrers", digest] => (name, Resource::Referrers((*digest).to_owned())),
        [name @ .., "manifests", reference] => (name, Resource::Manifest((*reference).to_owned())),
        [name @ .., "blobs", "uploads"] | [name @ .., "blobs", "uploads", ""] => (name, Resource::Uploads),
        [name @ .., "blobs", "uploads", id] => (name, Resource::Upload((*id).to_owned())),
        [name @ .., "blobs", digest] => (name, Resource::Blob((*digest).to_owned())),
        _ => return Err(RegistryError::NoResource),
    };
    let name = name.join("/");
    if !is_repository_name(&name) {
        return Err(RegistryError::NameInvalid(name.chars().take(256).collect()));
    }
    Ok(Route { name: Some(name), resource })
}

/// ECR's rule: 2 to 256 characters, parts of lower-case letters and digits with `.`, `_`, `-` between them.
pub(crate) fn is_repository_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let part = |part: &str| {
        part.bytes().all(|b| plain(b) || b"._-".contains(&b))
            && part.bytes().next().is_some_and(plain)
            && part.bytes().next_back().is_some_and(plain)
    };
    (2..=256).contains(&name.len()) && name.split('/').all(part)
}

/// A tag: up to 128 letters, digits, `_`, `.` and `-`, not beginning with the last two.
pub(crate) fn is_tag(tag: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=128).contains(&tag.len())
        && tag.bytes().next().is_some_and(plain)
        && tag.bytes().all(|b| plain(b) || b == b'.' || b == b'-')
}

/// The parameters of a query string, decoded.
pub(crate) fn query(parts: &Parts) -> Query {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let query = parts.uri.query().unwrap_or_default();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(k, v)| (decode(k), decode(v)))
        .collect()
}
