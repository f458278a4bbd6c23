//! Templates of repositories that are made without CreateRepository.

use super::{LifecyclePolicyText, Repository, TagMutability};
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// The prefix that stands for every name.
pub const ROOT_PREFIX: &str = "ROOT";

/// What repositories below a prefix are like when they are made by a push, a pull or a replication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryCreationTemplate {
    /// Owner.
    pub account: AccountId,
    /// What the names begin with; `ROOT` for all that no other template is about.
    pub prefix: String,
    /// What it is for.
    pub description: Option<String>,
    /// Tags of the repositories.
    pub tags: Vec<(String, String)>,
    /// Whether tags of images may be moved; as usual where nothing is said.
    pub tag_mutability: Option<TagMutability>,
    /// Patterns of tags to which the opposite applies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tag_exclusions: Vec<String>,
    /// Policy of the repositories.
    pub repository_policy: Option<String>,
    /// Lifecycle policy of the repositories.
    pub lifecycle_policy: Option<String>,
    /// What makes repositories by it.
    pub applied_for: Vec<AppliedFor>,
    /// Role that makes the repositories.
    pub custom_role_arn: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// What makes a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AppliedFor {
    /// A replication.
    Replication,
    /// The first pull of an image of another registry.
    PullThroughCache,
    /// The first push.
    CreateOnPush,
}

impl RepositoryCreationTemplate {
    fn covers(&self, name: &str) -> bool {
        let prefix = self.prefix.trim_end_matches('/');
        self.prefix == ROOT_PREFIX
            || name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// A repository as the template has it.
    pub fn repository(&self, name: &str, now: Timestamp) -> Repository {
        let lifecycle = self.lifecycle_policy.clone();
        Repository {
            tag_mutability: self.tag_mutability.unwrap_or_default(),
            tag_exclusions: self.tag_exclusions.clone(),
            policy: self.repository_policy.clone(),
            lifecycle: lifecycle.map(|text| LifecyclePolicyText { text, put_at: now, evaluated_at: None }),
            tags: self.tags.clone(),
            ..Repository::new(self.account.clone(), name, now)
        }
    }
}

/// The template for a repository: the one with the longest prefix of those that cover its name and apply.
pub fn template_for<'a>(
    templates: impl Iterator<Item = &'a RepositoryCreationTemplate>,
    name: &str,
    purpose: AppliedFor,
) -> Option<&'a RepositoryCreationTemplate> {
    let length = |template: &&RepositoryCreationTemplate| match template.prefix.as_str() {
        ROOT_PREFIX => 0,
        prefix => prefix.len(),
    };
    templates
        .filter(|template| template.applied_for.contains(&purpose) && template.covers(name))
        .max_by_key(length)
}

impl Stored for RepositoryCreationTemplate {
    const TABLE: &'static str = "ecr/creation-template";

    fn key(&self) -> String {
        format!("{}/{}", self.account, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_that_applies() {
        let template = |prefix: &str, purpose| RepositoryCreationTemplate {
            account: "123456789012".parse().expect("an account"),
            prefix: prefix.to_owned(),
            description: None,
            tags: vec![],
            tag_mutability: Some(TagMutability::Immutable),
            tag_exclusions: vec![],
            repository_policy: None,
            lifecycle_policy: None,
            applied_for: vec![purpose],
            custom_role_arn: None,
            created_at: Timestamp::from_seconds(0),
            updated_at: Timestamp::from_seconds(0),
        };
        let all = [
            template("ROOT", AppliedFor::CreateOnPush),
            template("team", AppliedFor::CreateOnPush),
            template("team/a", AppliedFor::Replication),
        ];
        for (name, purpose, expected) in [
            ("team/a/x", AppliedFor::CreateOnPush, Some("team")),
            ("team/a/x", AppliedFor::Replication, Some("team/a")),
            ("teams", AppliedFor::CreateOnPush, Some("ROOT")),
            ("team", AppliedFor::CreateOnPush, Some("team")),
            ("team/x", AppliedFor::PullThroughCache, None),
        ] {
            let found = template_for(all.iter(), name, purpose).map(|found| found.prefix.as_str());
            assert_eq!(found, expected, "{name} {purpose:?}");
        }
        let made = all[1].repository("team/x", Timestamp::from_seconds(1));
        assert!(made.is_immutable("v1"));
    }
}
