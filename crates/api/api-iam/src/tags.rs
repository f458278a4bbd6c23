//! Tags: their keys differ by more than case, and keep the case they were given.

use crate::errors::{Failure, invalid_input, limit_exceeded};
use crate::quotas;
use crate::shapes::Tag;

/// Checks the tags of a new resource.
pub(crate) fn new(tags: Option<Vec<Tag>>) -> Result<Vec<(String, String)>, Failure> {
    put(&[], tags.unwrap_or_default())
}

/// `old` with `given` put over it.
pub(crate) fn put(old: &[(String, String)], given: Vec<Tag>) -> Result<Vec<(String, String)>, Failure> {
    let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
    for (index, tag) in given.iter().enumerate() {
        if tag.key.to_lowercase().starts_with("aws:") {
            return Err(invalid_input("aws: prefixed tag key names are not allowed for external use."));
        }
        if given[..index].iter().any(|other| same(&other.key, &tag.key)) {
            return Err(invalid_input(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
    }
    let mut tags = old.to_vec();
    for Tag { key, value } in given {
        match tags.iter_mut().find(|(old, _)| same(old, &key)) {
            Some(tag) => *tag = (key, value),
            None => tags.push((key, value)),
        }
    }
    if tags.len() > quotas::TAGS {
        return Err(limit_exceeded(format_args!(
            "The number of tags has reached the maximum limit of {}.",
            quotas::TAGS
        )));
    }
    Ok(tags)
}

/// `old` without the tags of these keys.
pub(crate) fn remove(old: &[(String, String)], keys: &[String]) -> Vec<(String, String)> {
    let gone: Vec<String> = keys.iter().map(|key| key.to_lowercase()).collect();
    old.iter().filter(|(key, _)| !gone.contains(&key.to_lowercase())).cloned().collect()
}

/// As answers show them.
pub(crate) fn shown(tags: &[(String, String)]) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect()
}

/// As answers show them that leave them out when there are none.
pub(crate) fn shown_if_any(tags: &[(String, String)]) -> Option<Vec<Tag>> {
    Some(shown(tags)).filter(|tags| !tags.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> Tag {
        Tag { key: key.into(), value: value.into() }
    }

    #[test]
    fn case_does_not_make_another_key() {
        let tags = new(Some(vec![tag("Team", "a"), tag("x", "")])).expect("are right");
        let tags = put(&tags, vec![tag("team", "b")]).expect("are right");
        assert_eq!(tags, [("team".to_owned(), "b".to_owned()), ("x".to_owned(), String::new())]);
        assert_eq!(remove(&tags, &["TEAM".to_owned()]), [("x".to_owned(), String::new())]);
        assert!(new(Some(vec![tag("a", ""), tag("A", "")])).is_err());
        assert!(new(Some(vec![tag("aws:x", "")])).is_err());
    }

    #[test]
    fn there_are_fifty_at_most() {
        let many = |from: usize, to: usize| (from..to).map(|n| tag(&n.to_string(), "")).collect::<Vec<_>>();
        let tags = new(Some(many(0, 50))).expect("fifty");
        assert!(put(&tags, many(0, 50)).is_ok());
        assert!(put(&tags, many(50, 51)).is_err());
    }
}
