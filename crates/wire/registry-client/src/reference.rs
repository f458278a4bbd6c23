//! Image references: `nginx`, `localhost:4566/team/app:1.2`, `public.ecr.aws/x/y@sha256:…`.
//!
//! The rules are those of docker: a first part without dot, colon or the name `localhost` is not a registry,
//! and then the registry is `docker.io`; a single-part name there lives under `library/`.

use crate::digest::{Digest, DigestError};
use std::fmt;
use std::str::FromStr;

/// The registry that a reference without one means.
const DEFAULT_REGISTRY: &str = "docker.io";
/// The longest repository name that registries accept, registry included.
const MAX_NAME: usize = 255;
/// The longest tag.
const MAX_TAG: usize = 128;

/// A parsed reference; always complete: the registry is named, and without a digest there is a tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is not an image reference.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// The text is no reference at all, or its name breaks the rules.
    #[error("invalid reference format")]
    Format,
    /// The repository has capital letters.
    #[error("invalid reference format: repository name must be lowercase")]
    Uppercase,
    /// The name is longer than registries accept.
    #[error("repository name must not be more than {MAX_NAME} characters")]
    TooLong,
    /// The part after `@` is no digest.
    #[error("invalid reference format: {0}")]
    Digest(#[from] DigestError),
}

impl Reference {
    /// The registry as written, with its port: `docker.io`, `localhost:4566`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The host to talk to, with its port; differs from [`Self::registry`] for Docker Hub alone.
    pub fn host(&self) -> &str {
        if self.registry == DEFAULT_REGISTRY { "registry-1.docker.io" } else { &self.registry }
    }

    /// The repository inside the registry, `library/nginx`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, if one is named or implied.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if the reference is pinned to one.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What a manifest is asked for by: the digest when there is one, else the tag.
    pub fn target(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse::<Digest>()?)),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(ReferenceError::Format);
        }
        let (registry, repository) = split_registry(name);
        let repository = if registry == DEFAULT_REGISTRY && !repository.contains('/') {
            format!("library/{repository}")
        } else {
            repository.to_owned()
        };
        if !is_host(registry) {
            return Err(ReferenceError::Format);
        }
        if repository.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(ReferenceError::Uppercase);
        }
        if !repository.split('/').all(is_path_component) {
            return Err(ReferenceError::Format);
        }
        if registry.len() + 1 + repository.len() > MAX_NAME {
            return Err(ReferenceError::TooLong);
        }
        let tag = match (tag, &digest) {
            (Some(tag), _) => Some(tag.to_owned()),
            (None, None) => Some("latest".to_owned()),
            (None, Some(_)) => None,
        };
        Ok(Self { registry: registry.to_owned(), repository, tag, digest })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Splits the registry off a name, by docker's rule.
fn split_registry(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((first, rest))
            if first == "localhost"
                || first.contains(['.', ':'])
                || first.bytes().any(|byte| byte.is_ascii_uppercase()) =>
        {
            (if first == "index.docker.io" { DEFAULT_REGISTRY } else { first }, rest)
        }
        _ => (DEFAULT_REGISTRY, name),
    }
}

fn is_host(host: &str) -> bool {
    let (name, port) = if let Some(inner) = host.strip_prefix('[') {
        let Some((address, port)) = inner.split_once(']') else { return false };
        if address.parse::<std::net::Ipv6Addr>().is_err() {
            return false;
        }
        match port.strip_prefix(':') {
            None if !port.is_empty() => return false,
            port => ("v6", port),
        }
    } else {
        match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        }
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.split('.').all(label) && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn is_path_component(part: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else { return false };
    if !alphanumeric(first) || !alphanumeric(last) {
        return false;
    }
    // Separators are one dot, one or two underscores, or any number of dashes.
    part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()).all(|separator| {
        matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-')
    })
}

fn is_tag(tag: &str) -> bool {
    tag.len() <= MAX_TAG
        && tag.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_mean_docker_hub() {
        for (text, whole) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.25", "docker.io/library/nginx:1.25"),
            ("team/app", "docker.io/team/app:latest"),
            ("index.docker.io/nginx", "docker.io/library/nginx:latest"),
            ("localhost/app", "localhost/app:latest"),
            ("localhost:4566/app:v1", "localhost:4566/app:v1"),
            ("public.ecr.aws/a/b/c:x", "public.ecr.aws/a/b/c:x"),
            (
                "123456789012.dkr.ecr.us-east-1.localhost:4566/n_a--b.c",
                "123456789012.dkr.ecr.us-east-1.localhost:4566/n_a--b.c:latest",
            ),
            ("[::1]:5000/x", "[::1]:5000/x:latest"),
        ] {
            assert_eq!(text.parse::<Reference>().expect(text).to_string(), whole);
        }
        assert_eq!("nginx".parse::<Reference>().expect("parses").host(), "registry-1.docker.io");
    }

    #[test]
    fn digests_pin() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let both: Reference = format!("localhost:1/x:t@{digest}").parse().expect("parses");
        assert_eq!((both.tag(), both.target()), (Some("t"), digest.clone()));
        let pinned: Reference = format!("x@{digest}").parse().expect("parses");
        assert_eq!(pinned.tag(), None);
    }

    #[test]
    fn nonsense_is_refused() {
        let long = format!("localhost/{}", "a".repeat(256));
        for text in [
            "",
            ":",
            "a:",
            "UPPER/Case",
            "a//b",
            "/a",
            "a/",
            "a b",
            "x@sha256:12",
            "x@md5:00",
            "-a",
            "a..b",
            "a___b",
            "x:-tag",
            "host:port/x",
            "localhost:99999/x",
            "../x",
            "a/../b",
            &long,
            "a?b=c",
            "a#b",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text:?} was accepted");
        }
    }
}
