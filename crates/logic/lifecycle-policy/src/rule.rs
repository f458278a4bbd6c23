//! A policy and its rules, checked.

use crate::parse::{self, NotAPolicy};
use resources::ecr::{StorageClass, matches_wildcard};
use std::time::Duration;

/// A checked policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LifecyclePolicy {
    rules: Vec<Rule>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Lower ones come first.
    pub priority: i32,
    /// Which images it is about, by their tags.
    pub tags: TagSelection,
    /// Which images it is about, by where they are.
    pub storage_class: StorageClass,
    /// Which of them it acts on.
    pub count: Count,
    /// What it does.
    pub action: Action,
}

/// Images by their tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagSelection {
    /// Those without a tag.
    Untagged,
    /// Those with a tag for each of these beginnings.
    Prefixes(Vec<String>),
    /// Those with a tag for each of these patterns, in which `*` stands for any text.
    Patterns(Vec<String>),
    /// All.
    Any,
}

/// Which of the selected images are acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// All but so many of the youngest.
    MoreThan(usize),
    /// Those pushed longer ago.
    SincePushed(Duration),
    /// Those pulled longer ago; pushed or restored, when they never were pulled since.
    SincePulled(Duration),
    /// Those archived longer ago.
    SinceTransitioned(Duration),
}

/// What becomes of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is deleted.
    Expire,
    /// It goes into the archive.
    Archive,
}

impl LifecyclePolicy {
    /// Reads and checks a document.
    pub fn parse(text: &str) -> Result<Self, NotAPolicy> {
        let mut rules = parse::rules(text)?;
        rules.sort_by_key(|rule| rule.priority);
        Ok(Self { rules })
    }

    /// Its rules in the order of their priority.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

impl TagSelection {
    /// Whether an image with these tags is selected.
    pub fn selects(&self, tags: &[String]) -> bool {
        let each = |wanted: &[String], fits: fn(&str, &str) -> bool| {
            !tags.is_empty() && wanted.iter().all(|wanted| tags.iter().any(|tag| fits(wanted, tag)))
        };
        match self {
            Self::Untagged => tags.is_empty(),
            Self::Prefixes(prefixes) => each(prefixes, |prefix, tag| tag.starts_with(prefix)),
            Self::Patterns(patterns) => each(patterns, matches_wildcard),
            Self::Any => true,
        }
    }
}
