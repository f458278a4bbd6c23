//! Repositories and their settings.

use super::{CatalogData, matches_wildcard, rows_of};
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Deserializer, Serialize};

/// A repository.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repository {
    /// Owner.
    pub account: AccountId,
    /// Name, with `/` between its parts.
    pub name: String,
    /// Whether a tag, once given, stays on its image. Rows of earlier versions say so with `immutable_tags`.
    #[serde(default, alias = "immutable_tags", deserialize_with = "mutability")]
    pub tag_mutability: TagMutability,
    /// Patterns of tags to which the opposite applies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tag_exclusions: Vec<String>,
    /// Scan images when they are pushed.
    #[serde(default)]
    pub scan_on_push: bool,
    /// Who else may do what here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Which images go, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<LifecyclePolicyText>,
    /// What is told of a public repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<CatalogData>,
    /// Tags of the repository itself.
    pub tags: Vec<(String, String)>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Whether tags may be moved to another image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TagMutability {
    /// They may.
    #[default]
    Mutable,
    /// They may not.
    Immutable,
    /// They may, but not those that an exclusion covers.
    MutableWithExclusion,
    /// They may not, but those that an exclusion covers.
    ImmutableWithExclusion,
}

/// A lifecycle policy as it was put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecyclePolicyText {
    /// The document.
    pub text: String,
    /// When it was put.
    pub put_at: Timestamp,
    /// When it was applied last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluated_at: Option<Timestamp>,
}

/// A preview of a lifecycle policy; its results are worked out when they are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecyclePolicyPreview {
    /// Owner.
    pub account: AccountId,
    /// Repository.
    pub repository: String,
    /// The document.
    pub text: String,
    /// The moment that the preview is of; images pushed later are not in it.
    pub started_at: Timestamp,
}

impl Repository {
    /// A repository with the settings that one has when nothing is said.
    pub fn new(account: AccountId, name: impl Into<String>, created_at: Timestamp) -> Self {
        Self {
            account,
            name: name.into(),
            tag_mutability: TagMutability::default(),
            tag_exclusions: vec![],
            scan_on_push: false,
            policy: None,
            lifecycle: None,
            catalog: None,
            tags: vec![],
            created_at,
        }
    }

    /// Whether this tag, once given, stays on its image.
    pub fn is_immutable(&self, tag: &str) -> bool {
        let excluded = || self.tag_exclusions.iter().any(|pattern| matches_wildcard(pattern, tag));
        match self.tag_mutability {
            TagMutability::Mutable => false,
            TagMutability::Immutable => true,
            TagMutability::MutableWithExclusion => excluded(),
            TagMutability::ImmutableWithExclusion => !excluded(),
        }
    }
}

impl Stored for Repository {
    const TABLE: &'static str = "ecr/repository";

    fn key(&self) -> String {
        format!("{}/{}", self.account, self.name)
    }
}

impl Stored for LifecyclePolicyPreview {
    const TABLE: &'static str = "ecr/lifecycle-preview";

    fn key(&self) -> String {
        rows_of(&self.account, &self.repository)
    }
}

/// Reads the setting, or the truth value that earlier versions wrote.
fn mutability<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TagMutability, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Immutable(bool),
        Setting(TagMutability),
    }
    Ok(match Written::deserialize(deserializer)? {
        Written::Immutable(true) => TagMutability::Immutable,
        Written::Immutable(false) => TagMutability::Mutable,
        Written::Setting(setting) => setting,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exclusions_turn_the_setting_around() {
        let account: AccountId = "123456789012".parse().expect("an account");
        let mut repository = Repository::new(account, "app", Timestamp::from_seconds(0));
        repository.tag_exclusions = vec!["dev-*".to_owned()];
        for (setting, dev, other) in [
            (TagMutability::Mutable, false, false),
            (TagMutability::Immutable, true, true),
            (TagMutability::MutableWithExclusion, true, false),
            (TagMutability::ImmutableWithExclusion, false, true),
        ] {
            repository.tag_mutability = setting;
            assert_eq!((repository.is_immutable("dev-1"), repository.is_immutable("v1")), (dev, other));
        }
    }

    #[test]
    fn rows_of_earlier_versions_are_read() {
        let row = |immutable| {
            format!(
                r#"{{"account":"123456789012","name":"app","immutable_tags":{immutable},"tags":[["a","b"]],"created_at":TIME}}"#
            )
            .replace("TIME", &serde_json::to_string(&Timestamp::from_seconds(7)).expect("a number"))
        };
        let read: Repository = serde_json::from_str(&row(true)).expect("reads");
        assert_eq!(read.tag_mutability, TagMutability::Immutable);
        assert_eq!((read.policy.clone(), read.scan_on_push, read.tags.len()), (None, false, 1));
        let again: Repository =
            serde_json::from_str(&serde_json::to_string(&read).expect("writes")).expect("reads");
        assert_eq!(again, read);
        let read: Repository = serde_json::from_str(&row(false)).expect("reads");
        assert_eq!(read.tag_mutability, TagMutability::Mutable);
    }
}
