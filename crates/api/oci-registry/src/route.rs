//! Paths and parameters of the protocol.

use crate::error::RegistryError;
use http::Method;
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
    Base,
    Catalog,
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
        return Ok(Route { name: None, resource: Resource::Base });
    }
    if rest == "_catalog" {
        return Ok(Route { name: None, resource: Resource::Catalog });
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

/// Whether a method only reads.
pub(crate) fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// How many entries a page of a list is to have, and what it goes on after.
pub(crate) fn page(query: &Query, most: usize) -> Result<(usize, Option<&str>), RegistryError> {
    let limit = match query.get("n") {
        None => most,
        Some(n) => {
            n.parse::<usize>().map_err(|_| RegistryError::PageInvalid(n.chars().take(40).collect()))?
        }
    };
    Ok((limit.min(most), query.get("last").map(String::as_str).filter(|last| !last.is_empty())))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_from_their_end() {
        for (path, name) in [
            ("/v2/a1/tags/list", Some("a1")),
            ("/v2/a1/manifests/blobs/uploads/manifests/v1", Some("a1/manifests/blobs/uploads")),
            ("/v2/tags/list/tags/list", Some("tags/list")),
            ("/v2", None),
            ("/v2/", None),
            ("/v2/_catalog", None),
        ] {
            assert_eq!(route(path).expect(path).name.as_deref(), name, "{path}");
        }
    }

    #[test]
    fn tricks_in_names_are_no_names() {
        let long = format!("/v2/{}/tags/list", "a/".repeat(128) + "a");
        for path in [
            "/v2/../tags/list",
            "/v2/a/../../etc/tags/list",
            "/v2/%2e%2e/tags/list",
            "/v2/a%2fb/tags/list",
            "/v2//a/tags/list",
            "/v2/a//b/tags/list",
            "/v2/\u{ff41}bc/tags/list",
            "/v2/ab\u{200b}/tags/list",
            "/v2/AB/tags/list",
            "/v2/-a/tags/list",
            "/v2/a@b/tags/list",
            "/v2/a\0b/tags/list",
            "/v2/a\\b/tags/list",
            long.as_str(),
        ] {
            assert!(matches!(route(path), Err(RegistryError::NameInvalid(_))), "{path}");
        }
        assert!(matches!(route("/v2/app"), Err(RegistryError::NoResource)));
    }

    #[test]
    fn pages() {
        let query = |text: &str| {
            let uri = format!("/x?{text}");
            let (parts, ()) = http::Request::get(uri).body(()).expect("a request").into_parts();
            super::query(&parts)
        };
        assert_eq!(page(&query(""), 10).ok(), Some((10, None)));
        assert_eq!(page(&query("n=3&last=a%2Bb"), 10).ok(), Some((3, Some("a+b"))));
        assert_eq!(page(&query("n=99999999"), 10).ok(), Some((10, None)));
        for wrong in ["n=-1", "n=x", "n=", "n=18446744073709551616"] {
            assert!(page(&query(wrong), 10).is_err(), "{wrong}");
        }
    }
}
