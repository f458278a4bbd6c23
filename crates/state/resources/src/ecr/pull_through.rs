//! Rules by which repositories are filled from other registries.

use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// What is pulled below a prefix comes from another registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullThroughCacheRule {
    /// Owner.
    pub account: AccountId,
    /// First part of the names of its repositories; `ROOT` for all.
    pub prefix: String,
    /// Host of the other registry.
    pub upstream_url: String,
    /// Kind of the other registry, as the API names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_registry: Option<String>,
    /// What the names in the other registry begin with; `ROOT` for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_prefix: Option<String>,
    /// Secret with the user name and the access token for the other registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_arn: Option<String>,
    /// Role that pulls from another registry of ECR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_role_arn: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// When a tag was last compared with the other registry's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullThroughCheck {
    /// Owner.
    pub account: AccountId,
    /// Repository.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// When.
    pub checked_at: Timestamp,
}

impl PullThroughCacheRule {
    /// The name in the other registry of a repository here; `None` when the rule is not about it.
    pub fn upstream_name(&self, repository: &str) -> Option<String> {
        let rest = match self.prefix.trim_end_matches('/') {
            super::ROOT_PREFIX => repository,
            prefix => repository.strip_prefix(prefix)?.strip_prefix('/')?,
        };
        Some(match self.upstream_prefix.as_deref().map(|prefix| prefix.trim_end_matches('/')) {
            None | Some(super::ROOT_PREFIX | "") => rest.to_owned(),
            Some(prefix) => format!("{prefix}/{rest}"),
        })
    }
}

impl Stored for PullThroughCheck {
    const TABLE: &'static str = "ecr/pull-through-check";

    fn key(&self) -> String {
        super::rows_of(&self.account, &self.repository) + &self.tag
    }
}

impl Stored for PullThroughCacheRule {
    const TABLE: &'static str = "ecr/pull-through";

    fn key(&self) -> String {
        format!("{}/{}", self.account, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_translated() {
        let rule = |prefix: &str, upstream: Option<&str>| PullThroughCacheRule {
            account: "123456789012".parse().expect("an account"),
            prefix: prefix.to_owned(),
            upstream_url: "registry.example".to_owned(),
            upstream_registry: None,
            upstream_prefix: upstream.map(str::to_owned),
            credential_arn: None,
            custom_role_arn: None,
            created_at: Timestamp::from_seconds(0),
            updated_at: Timestamp::from_seconds(0),
        };
        for (prefix, upstream, name, expected) in [
            ("hub", None, "hub/library/alpine", Some("library/alpine")),
            ("hub", None, "hubs/alpine", None),
            ("hub", None, "hub", None),
            ("hub/", Some("ROOT"), "hub/a/b", Some("a/b")),
            ("ROOT", None, "a/b", Some("a/b")),
            ("x", Some("team/x"), "x/app", Some("team/x/app")),
        ] {
            assert_eq!(rule(prefix, upstream).upstream_name(name).as_deref(), expected, "{prefix} {name}");
        }
    }
}
